# Written by everloop export terraform; it is yours to change.
# Two roles, each with what it does and nothing else: one starts tasks, one is what tasks are.
data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }
}

data "aws_caller_identity" "here" {}

# Secrets that everloop.toml is filled from are put into Secrets Manager by people, each under its name.
data "aws_secretsmanager_secret" "named" {
  for_each = toset(local.secrets)
  name     = "${local.name}/${each.value}"
}

resource "aws_iam_role" "starts" {
  name_prefix        = "${local.name}-starts-"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "starts" {
  role       = aws_iam_role.starts.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "starts" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = concat([aws_secretsmanager_secret.database.arn], [for secret in data.aws_secretsmanager_secret.named : secret.arn])
  }
}

resource "aws_iam_role_policy" "starts" {
  name_prefix = "secrets-"
  role        = aws_iam_role.starts.id
  policy      = data.aws_iam_policy_document.starts.json
}

resource "aws_iam_role" "house" {
  name_prefix        = "${local.name}-"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "house" {
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.house.arn}/*"]
  }
  statement {
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [aws_s3_bucket.house.arn]
  }
  statement {
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.house.arn]
    condition {
      test     = "StringEquals"
      variable = "elasticfilesystem:AccessPointArn"
      values   = [aws_efs_access_point.house.arn]
    }
  }
}

resource "aws_iam_role_policy" "house" {
  name_prefix = "house-"
  role        = aws_iam_role.house.id
  policy      = data.aws_iam_policy_document.house.json
}

resource "aws_iam_role" "sweeps" {
  name_prefix = "${local.name}-sweeps-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "scheduler.amazonaws.com" } }]
  })
}

data "aws_iam_policy_document" "sweeps" {
  statement {
    actions   = ["ecs:RunTask"]
    resources = ["${aws_ecs_task_definition.house["sweeping"].arn_without_revision}:*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.house.arn]
    }
  }
  statement {
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.starts.arn, aws_iam_role.house.arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "sweeps" {
  name_prefix = "sweeps-"
  role        = aws_iam_role.sweeps.id
  policy      = data.aws_iam_policy_document.sweeps.json
}
