# Written by everloop export terraform; it is yours to change.
# Where the state is kept is yours to say: a file backend.tf with your own backend block.
terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.7"
    }
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { everloop = local.name }
  }
}
