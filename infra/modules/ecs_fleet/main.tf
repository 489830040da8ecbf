# One fleet as an ECS service on Fargate. Its bounds are the policy's, its size the controller's.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name
  family     = "${var.name_prefix}-worker-${var.name}"
  tags       = merge(var.tags, { "weir:fleet" = var.name })

  # Computed from names, so that roles can be written before the service.
  service_arn = "arn:${local.partition}:ecs:${local.region}:${local.account_id}:service/${var.cluster}/${var.service}"

  uses_spot = var.spot != null
  # Of a hundred tasks beyond the base, so many on each.
  shares = { for provider, weight in {
    FARGATE      = local.uses_spot ? var.spot.on_demand_percentage : 100
    FARGATE_SPOT = local.uses_spot ? 100 - var.spot.on_demand_percentage : 0
  } : provider => weight if weight > 0 || (provider == "FARGATE" && try(var.spot.on_demand_base, 0) > 0) }
}

resource "aws_ecs_service" "this" {
  name            = var.service
  cluster         = var.cluster
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = var.min_size # at creation; see ignore_changes

  # A task protects itself for as long as it works, from deployments as well as from scale-in. So a
  # new worker starts beside the old ones, never in their place, and the controller asks an old
  # task to leave once a new one runs for it.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  # A worker that does not start gives way to the one before.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  # Evening zones out stops tasks of ECS's choosing: who leaves is the controller's to decide.
  availability_zone_rebalancing = "DISABLED"

  dynamic "capacity_provider_strategy" {
    for_each = local.shares

    content {
      capacity_provider = capacity_provider_strategy.key
      weight            = capacity_provider_strategy.value
      base              = capacity_provider_strategy.key == "FARGATE" && local.uses_spot ? var.spot.on_demand_base : 0
    }
  }

  # Without it a change of the strategy would make the service anew.
  force_new_deployment = true

  network_configuration {
    assign_public_ip = var.assign_public_ip
    security_groups  = [aws_security_group.worker.id]
    subnets          = var.subnet_ids
  }

  # Tasks carry the service's tags: the fleet's name is what their role asks for.
  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
  tags                    = local.tags

  lifecycle {
    ignore_changes = [desired_count]
  }

  # A worker that starts before its role may do anything would only fail and try again.
  depends_on = [aws_iam_role_policy.worker, aws_iam_role_policy.task, aws_iam_role_policy.execution]
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.family
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn
  tags                     = local.tags

  runtime_platform {
    cpu_architecture        = { x86_64 = "X86_64", arm64 = "ARM64" }[var.architecture]
    operating_system_family = "LINUX"
  }

  # What handlers write goes here: the image is read-only.
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([{
    name                   = "worker"
    image                  = var.image
    command                = ["weir-worker", "run"]
    essential              = true
    readonlyRootFilesystem = true
    # Fargate's most. A signal leaves two minutes (the worker takes 110 s of them); a task that is
    # asked to leave takes as long as its jobs do, and ends by itself.
    stopTimeout = 120
    # Ends what a handler left behind.
    linuxParameters = { initProcessEnabled = true }
    mountPoints     = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    environment     = [for name, value in local.environment : { name = name, value = value }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = var.name
        # Lines are lost before jobs wait for the log.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  }])
}

locals {
  environment = merge(
    {
      WEIR_ECS_SERVICE = "${var.cluster}/${var.service}"
      WEIR_LOG_FORMAT  = "json"
    },
    var.environment,
  )
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long is the user's choice, log_retention_days; what became of a job is in its record
  name              = "/weir/${local.family}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

# Workers pull: nothing may connect to them.
resource "aws_security_group" "worker" {
  name_prefix = "${local.family}-"
  description = "Weir workers of the fleet ${var.name}: HTTPS out, nothing in"
  vpc_id      = var.vpc_id
  tags        = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

# HTTPS to anywhere: AWS's endpoints and image registries have no fixed addresses.
resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.worker.id
  description       = "AWS endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}
