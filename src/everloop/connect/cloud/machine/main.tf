# Written by everloop export terraform; it is yours to change.
# One machine that answers, learns and turns its models. What it keeps is on a disk of its own, and copied every night.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${local.machine}"
}

data "aws_ec2_instance_type" "chosen" {
  instance_type = var.instance_type
}

data "aws_subnet" "chosen" {
  id = var.subnet_id
}

data "archive_file" "project" {
  type        = "zip"
  output_path = "${path.module}/.terraform/project.zip"
  # By name, and nothing else: keys, rows and houses lie in such folders too.
  dynamic "source" {
    for_each = local.files
    content {
      filename = source.value
      content  = file("${var.project}/${source.value}")
    }
  }
}

locals {
  machine = contains(data.aws_ec2_instance_type.chosen.supported_architectures, "arm64") ? "arm64" : "x86_64"
  bucket  = split("/", var.backups)[2]
  flags   = join(" ", concat(["--project", "/srv/everloop/project", "--house", "/var/lib/everloop/house"], local.stage == "" ? [] : ["--stage", local.stage]))
}

resource "aws_s3_object" "project" {
  bucket = local.bucket
  key    = "everloop/${local.name}/${data.archive_file.project.output_sha256}.zip"
  source = data.archive_file.project.output_path
}

resource "aws_security_group" "machine" {
  name_prefix = "${local.name}-"
  description = "The machine of the house"
  vpc_id      = var.vpc_id
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  ports = local.door > 0 ? [local.port, local.door] : [local.port]
  asked = { for both in setproduct(var.asked_from, local.ports) : "${both[0]} ${both[1]}" => { from = both[0], port = both[1] } }
}

resource "aws_vpc_security_group_ingress_rule" "asked" {
  for_each          = local.asked
  security_group_id = aws_security_group.machine.id
  description       = "Who may ask the house"
  cidr_ipv4         = each.value.from
  from_port         = each.value.port
  to_port           = each.value.port
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "out" {
  for_each          = { https = 443, smtp = 587 }
  security_group_id = aws_security_group.machine.id
  description       = "Packages, S3, and news for people"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

resource "aws_iam_role" "machine" {
  name_prefix = "${local.name}-"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

data "aws_secretsmanager_secret" "named" {
  for_each = toset(local.secrets)
  name     = "${local.name}/${each.value}"
}

data "aws_iam_policy_document" "machine" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::${local.bucket}/everloop/${local.name}/*"]
  }
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["arn:aws:s3:::${trimprefix(var.backups, "s3://")}/*"]
  }
  statement {
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = ["arn:aws:s3:::${local.bucket}"]
  }
  dynamic "statement" {
    for_each = length(local.secrets) > 0 ? [1] : []
    content {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [for secret in data.aws_secretsmanager_secret.named : secret.arn]
    }
  }
}

resource "aws_iam_role_policy" "machine" {
  name_prefix = "house-"
  role        = aws_iam_role.machine.id
  policy      = data.aws_iam_policy_document.machine.json
}

# People reach it by Session Manager; no port is open for that, and there is no key to lose.
resource "aws_iam_role_policy_attachment" "sessions" {
  role       = aws_iam_role.machine.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "machine" {
  name_prefix = "${local.name}-"
  role        = aws_iam_role.machine.name
}

resource "aws_ebs_volume" "house" {
  availability_zone = data.aws_subnet.chosen.availability_zone
  size              = var.gigabytes
  type              = "gp3"
  encrypted         = true
  final_snapshot    = true
  tags              = { Name = local.name }
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_instance" "house" {
  ami                         = data.aws_ssm_parameter.image.value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [aws_security_group.machine.id]
  iam_instance_profile        = aws_iam_instance_profile.machine.name
  user_data_replace_on_change = true
  user_data = templatefile("${path.module}/cloud-init.yaml", {
    bucket  = local.bucket
    key     = aws_s3_object.project.key
    region  = var.region
    name    = local.name
    secrets = join(" ", local.secrets)
    backups = var.backups
    flags   = local.flags
    port    = local.port
    drain   = local.drain
    units   = join(", ", concat(["everloop.service", "everloop-backup.timer"], local.door > 0 ? ["everloop-door.service"] : []))
    disk    = replace(aws_ebs_volume.house.id, "-", "")
  })
  metadata_options {
    http_tokens   = "required"
    http_endpoint = "enabled"
  }
  root_block_device {
    encrypted   = true
    volume_type = "gp3"
  }
  lifecycle {
    ignore_changes = [ami] # a newer image of the system is yours to choose: terraform apply -replace=aws_instance.house
  }
  tags = { Name = local.name }
}

resource "aws_volume_attachment" "house" {
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.house.id
  instance_id                    = aws_instance.house.id
  stop_instance_before_detaching = true
}

output "address" {
  value = "http://${aws_instance.house.private_ip}:${local.port}"
}

output "instance" {
  value = aws_instance.house.id
}
