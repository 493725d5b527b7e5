# Written by everloop export terraform; it is yours to change.
# Where things are kept. Passwords are made here and go to the stores and to Secrets Manager; the state holds none of them.

# Tables and bodies. No versions are kept: somebody who was forgotten would stay in the old ones. Copies are made by everloop backup.
resource "aws_s3_bucket" "house" {
  bucket_prefix = "${local.name}-"
  force_destroy = !var.protected
}

resource "aws_s3_bucket_public_access_block" "house" {
  bucket                  = aws_s3_bucket.house.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "house" {
  bucket = aws_s3_bucket.house.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "house" {
  bucket = aws_s3_bucket.house.id
  rule {
    id     = "uploads nobody finished"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyByTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.house.arn, "${aws_s3_bucket.house.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "house" {
  bucket = aws_s3_bucket.house.id
  policy = data.aws_iam_policy_document.bucket.json
}

# Decisions, and what comes in until it is sealed.
ephemeral "random_password" "database" {
  length  = 40
  special = false
}

resource "aws_secretsmanager_secret" "database" {
  name_prefix = "${local.name}/PGPASSWORD-"
  description = "The password of the house's database"
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id                = aws_secretsmanager_secret.database.id
  secret_string_wo         = ephemeral.random_password.database.result
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_secret_version" "database" {
  secret_id = aws_secretsmanager_secret_version.database.secret_id
}

resource "aws_db_subnet_group" "house" {
  name_prefix = "${local.name}-"
  subnet_ids  = var.private_subnets
}

resource "aws_db_parameter_group" "house" {
  name_prefix = "${local.name}-"
  family      = "postgres17"
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "house" {
  identifier_prefix            = "${local.name}-"
  engine                       = "postgres"
  engine_version               = "17"
  instance_class               = var.database.class
  allocated_storage            = var.database.gigabytes
  max_allocated_storage        = var.database.most_gigabytes
  storage_type                 = "gp3"
  storage_encrypted            = true
  db_name                      = "everloop"
  username                     = "everloop"
  password_wo                  = ephemeral.aws_secretsmanager_secret_version.database.secret_string
  password_wo_version          = aws_secretsmanager_secret_version.database.secret_string_wo_version
  multi_az                     = var.database.zones
  db_subnet_group_name         = aws_db_subnet_group.house.name
  parameter_group_name         = aws_db_parameter_group.house.name
  vpc_security_group_ids       = [aws_security_group.stores.id]
  publicly_accessible          = false
  backup_retention_period      = 14
  copy_tags_to_snapshot        = true
  performance_insights_enabled = true
  auto_minor_version_upgrade   = true
  deletion_protection          = var.protected
  skip_final_snapshot          = !var.protected
  final_snapshot_identifier    = var.protected ? "${local.name}-last" : null
}

# What is known of each unit now: it is made again from the events, so no copies are kept. Reached by the tasks alone, over TLS.
resource "aws_elasticache_subnet_group" "house" {
  count      = local.redis ? 1 : 0
  name       = local.name
  subnet_ids = var.private_subnets
}

resource "aws_elasticache_replication_group" "house" {
  count                      = local.redis ? 1 : 0
  replication_group_id       = local.name
  description                = "What the house knows of each unit"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.redis.class
  num_cache_clusters         = var.redis.nodes
  automatic_failover_enabled = var.redis.nodes > 1
  multi_az_enabled           = var.redis.nodes > 1
  subnet_group_name          = aws_elasticache_subnet_group.house[0].name
  security_group_ids         = [aws_security_group.stores.id]
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
}

# The house folders: answers until they are sealed, and who answers. Each task has one of its own; see slot.sh.
resource "aws_efs_file_system" "house" {
  encrypted       = true
  throughput_mode = "elastic"
  tags            = { Name = local.name }
}

resource "aws_efs_mount_target" "house" {
  for_each        = toset(var.private_subnets)
  file_system_id  = aws_efs_file_system.house.id
  subnet_id       = each.value
  security_groups = [aws_security_group.stores.id]
}

resource "aws_efs_access_point" "house" {
  file_system_id = aws_efs_file_system.house.id
  posix_user {
    uid = 10001
    gid = 10001
  }
  root_directory {
    path = "/house"
    creation_info {
      owner_uid   = 10001
      owner_gid   = 10001
      permissions = "0700"
    }
  }
}
