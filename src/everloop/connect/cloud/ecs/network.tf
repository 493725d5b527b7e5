# Written by everloop export terraform; it is yours to change.
# Who may reach whom: the balancer the tasks, the tasks their stores. Nothing else is let in.
resource "aws_security_group" "balancer" {
  name_prefix = "${local.name}-balancer-"
  description = "Who asks the house"
  vpc_id      = var.vpc_id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "asked" {
  for_each          = toset(var.asked_from)
  security_group_id = aws_security_group.balancer.id
  description       = "HTTPS from who may ask"
  cidr_ipv4         = each.value
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "handed_on" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "To the tasks that answer"
  referenced_security_group_id = aws_security_group.tasks.id
  from_port                    = local.port
  to_port                      = local.port
  ip_protocol                  = "tcp"
}

resource "aws_security_group" "tasks" {
  name_prefix = "${local.name}-tasks-"
  description = "Tasks of the house"
  vpc_id      = var.vpc_id
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "answers" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "What the balancer hands on"
  referenced_security_group_id = aws_security_group.balancer.id
  from_port                    = local.port
  to_port                      = local.port
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "out" {
  for_each          = { https = 443, smtp = 587 }
  security_group_id = aws_security_group.tasks.id
  description       = "S3, images, logs, and news for people"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

resource "aws_security_group" "stores" {
  name_prefix = "${local.name}-stores-"
  description = "Database, Redis and the file system of the house"
  vpc_id      = var.vpc_id
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  stores = merge({ postgres = 5432, nfs = 2049 }, local.redis ? { redis = 6379 } : {})
}

resource "aws_vpc_security_group_ingress_rule" "stores" {
  for_each                     = local.stores
  security_group_id            = aws_security_group.stores.id
  description                  = "${each.key} for the tasks"
  referenced_security_group_id = aws_security_group.tasks.id
  from_port                    = each.value
  to_port                      = each.value
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "to_stores" {
  for_each                     = local.stores
  security_group_id            = aws_security_group.tasks.id
  description                  = "${each.key} of the house"
  referenced_security_group_id = aws_security_group.stores.id
  from_port                    = each.value
  to_port                      = each.value
  ip_protocol                  = "tcp"
}
