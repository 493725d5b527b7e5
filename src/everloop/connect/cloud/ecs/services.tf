# Written by everloop export terraform; it is yours to change.
# Three kinds of task from one image: those that answer, those that turn the models, and one that now and then seals what a task left behind.
resource "aws_ecs_cluster" "house" {
  name = local.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "house" {
  name_prefix       = "/everloop/${local.name}-"
  retention_in_days = 90
}

locals {
  flags = join(" ", concat(["--project", "/srv/project"], local.stage == "" ? [] : ["--stage", local.stage]))
  tasks = {
    answering = {
      cpu    = var.answering.cpu
      memory = var.answering.memory
      script = file("${path.module}/slot.sh")
      words  = "run --no-console --host 0.0.0.0 --port ${local.port} --workers ${var.answering.workers} ${local.flags}"
    }
    working = {
      cpu    = var.working.cpu
      memory = var.working.memory
      script = file("${path.module}/slot.sh")
      words  = "worker ${local.flags}"
    }
    sweeping = {
      cpu    = 512
      memory = 1024
      script = file("${path.module}/sweep.sh")
      words  = "worker ${local.flags}"
    }
  }
  environment = merge(
    {
      EVERLOOP_REGISTRY = "postgresql://everloop@${aws_db_instance.house.endpoint}/everloop"
      EVERLOOP_EVENTS   = "postgresql://everloop@${aws_db_instance.house.endpoint}/everloop"
      EVERLOOP_LAKE     = "s3://${aws_s3_bucket.house.bucket}/lake"
      EVERLOOP_BLOBS    = "s3://${aws_s3_bucket.house.bucket}/blobs"
      PGSSLMODE         = "require"
      AWS_REGION        = var.region
    },
    local.redis ? { REDIS_URL = "rediss://${aws_elasticache_replication_group.house[0].primary_endpoint_address}:6379/0" } : {},
  )
}

resource "aws_ecs_task_definition" "house" {
  for_each                 = local.tasks
  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.starts.arn
  task_role_arn            = aws_iam_role.house.arn
  container_definitions = jsonencode([{
    name                   = "house"
    image                  = var.image
    essential              = true
    user                   = "10001"
    readonlyRootFilesystem = true
    entryPoint             = ["/bin/sh", "-c", each.value.script, "house"]
    command                = split(" ", each.value.words)
    environment            = [for name, value in local.environment : { name = name, value = value }]
    secrets = concat(
      [{ name = "PGPASSWORD", valueFrom = aws_secretsmanager_secret.database.arn }],
      [for name, secret in data.aws_secretsmanager_secret.named : { name = name, valueFrom = secret.arn }],
    )
    portMappings    = each.key == "answering" ? [{ containerPort = local.port, protocol = "tcp" }] : []
    stopTimeout     = min(120, local.drain + 30)
    linuxParameters = { initProcessEnabled = true }
    mountPoints = [
      { sourceVolume = "house", containerPath = "/house", readOnly = false },
      { sourceVolume = "tmp", containerPath = "/tmp", readOnly = false },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.house.name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
  volume {
    name = "tmp"
  }
  volume {
    name = "house"
    efs_volume_configuration {
      file_system_id     = aws_efs_file_system.house.id
      transit_encryption = "ENABLED"
      authorization_config {
        access_point_id = aws_efs_access_point.house.id
        iam             = "ENABLED"
      }
    }
  }
}

resource "aws_ecs_service" "answering" {
  name                               = "answering"
  cluster                            = aws_ecs_cluster.house.id
  task_definition                    = aws_ecs_task_definition.house["answering"].arn
  desired_count                      = var.answering.least
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 60
  depends_on                         = [aws_lb_listener.https, aws_efs_mount_target.house, aws_iam_role_policy.starts]
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.private_subnets
    security_groups = [aws_security_group.tasks.id]
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.house.arn
    container_name   = "house"
    container_port   = local.port
  }
  lifecycle {
    ignore_changes = [desired_count] # it follows what is asked
  }
}

resource "aws_ecs_service" "working" {
  name                               = "working"
  cluster                            = aws_ecs_cluster.house.id
  task_definition                    = aws_ecs_task_definition.house["working"].arn
  desired_count                      = var.working.count
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 0 # what a task leaves open, the next one goes on with
  deployment_maximum_percent         = 100
  depends_on                         = [aws_efs_mount_target.house, aws_iam_role_policy.starts]
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = var.private_subnets
    security_groups = [aws_security_group.tasks.id]
  }
}

resource "aws_appautoscaling_target" "answering" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.house.name}/${aws_ecs_service.answering.name}"
  min_capacity       = var.answering.least
  max_capacity       = var.answering.most
}

resource "aws_appautoscaling_policy" "answering" {
  name               = "as-busy-as-wanted"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.answering.service_namespace
  scalable_dimension = aws_appautoscaling_target.answering.scalable_dimension
  resource_id        = aws_appautoscaling_target.answering.resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_in_cooldown  = 300
    scale_out_cooldown = 30
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_scheduler_schedule" "sweeping" {
  name                = "${local.name}-sweeping"
  description         = "Answers in folders that no task has any more are sealed"
  schedule_expression = "rate(15 minutes)"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_ecs_cluster.house.arn
    role_arn = aws_iam_role.sweeps.arn
    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.house["sweeping"].arn
      launch_type         = "FARGATE"
      network_configuration {
        subnets         = var.private_subnets
        security_groups = [aws_security_group.tasks.id]
      }
    }
    retry_policy {
      maximum_retry_attempts = 2
    }
  }
}
