# Written by everloop export terraform; it is yours to change.
variable "region" {
  type = string
}

variable "image" {
  type        = string
  description = "The image with Everloop and the project in /srv/project, pinned by its digest"
  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Say the image by its digest, such as 1234.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:…: a tag may be another image tomorrow."
  }
}

variable "vpc_id" {
  type = string
}

variable "private_subnets" {
  type        = list(string)
  description = "Two or more, in different zones, with a way out to pull images: tasks and stores"
  validation {
    condition     = length(var.private_subnets) > 1
    error_message = "Say two subnets or more, in different zones."
  }
}

variable "balancer_subnets" {
  type        = list(string)
  description = "Where the load balancer stands: public ones, or with internal = true private ones"
}

variable "internal" {
  type        = bool
  default     = true
  description = "Is the load balancer reached from inside the VPC only?"
}

variable "asked_from" {
  type        = list(string)
  description = "The CIDR blocks from which the house may be asked; it asks for keys of its own besides"
}

variable "certificate_arn" {
  type = string
}

variable "answering" {
  type = object({ cpu = number, memory = number, least = number, most = number, workers = number })
  default = {
    cpu     = 1024
    memory  = 2048
    least   = 2
    most    = 8
    workers = 1
  }
  description = "Each task that answers: CPU units, MiB, how many of them, and worker processes in each"
}

variable "working" {
  type = object({ cpu = number, memory = number, count = number })
  default = {
    cpu    = 4096
    memory = 8192
    count  = 1
  }
  description = "Each task that turns the models: what training takes"
}

variable "database" {
  type = object({ class = string, gigabytes = number, most_gigabytes = number, zones = bool })
  default = {
    class          = "db.t4g.medium"
    gigabytes      = 20
    most_gigabytes = 200
    zones          = true
  }
}

variable "redis" {
  type = object({ class = string, nodes = number })
  default = {
    class = "cache.t4g.small"
    nodes = 2
  }
}

variable "protected" {
  type        = bool
  default     = true
  description = "Are the stores kept when this is destroyed?"
}
