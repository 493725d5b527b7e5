# Written by everloop export terraform; it is yours to change.
variable "region" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_id" {
  type        = string
  description = "A private subnet with a way out; the disk stays in its zone"
}

variable "asked_from" {
  type        = list(string)
  description = "The CIDR blocks from which the house may be asked; it asks for keys of its own besides"
}

variable "project" {
  type        = string
  description = "The project's folder, with requirements.txt (requirements.in with hashes); only the files that project.tf names are taken from it"
}

variable "instance_type" {
  type    = string
  default = "m7g.large"
}

variable "gigabytes" {
  type        = number
  default     = 50
  description = "Of the disk that the house is on; it outlives the machine"
}

variable "backups" {
  type        = string
  description = "Where copies go, such as s3://shop-backups/house; a bucket that is there already"
  validation {
    condition     = can(regex("^s3://[a-z0-9.-]+/[^ ]+$", var.backups))
    error_message = "Say a bucket and a path, such as s3://shop-backups/house."
  }
}
