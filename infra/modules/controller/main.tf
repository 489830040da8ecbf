# The controller: every minute, for each fleet, a Fargate task that makes rounds until the next.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name
  name       = "${var.name_prefix}-controller"

  # Four rounds a task, the last before the next minute's begins. Tasks that overlap all the same
  # do no harm: a lease in the state table lets one act.
  command = ["--log-format", "json", "run", "--every", "15s", "--for", "55s"]
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Container insights would cost more than the controller does; its rounds are told in its log and in metrics of its own
  name = local.name
}

resource "aws_ecs_task_definition" "fleet" {
  for_each = var.fleets

  family                   = "${local.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256 # Fargate's least; a round takes milliseconds of it
  memory                   = 512
  task_role_arn            = aws_iam_role.controller.arn
  execution_role_arn       = aws_iam_role.execution.arn

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name                   = "weir"
    image                  = var.image
    command                = local.command
    essential              = true
    readonlyRootFilesystem = true
    environment = [
      { name = "AWS_REGION", value = local.region },
      { name = "WEIR_POLICY_YAML", value = each.value.policy },
      { name = "WEIR_STATE_TABLE", value = var.state_table.name },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
}

resource "aws_scheduler_schedule_group" "this" {
  name = local.name
}

resource "aws_scheduler_schedule" "fleet" {
  #checkov:skip=CKV_AWS_297:The schedule holds no data: names and ARNs alone, encrypted by AWS's own key
  for_each = var.fleets

  name                = each.key
  description         = "Rounds of the fleet ${each.key}"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = "rate(1 minute)"
  state               = var.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.scheduler.arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.fleet[each.key].arn
      launch_type         = "FARGATE"
      task_count          = 1

      network_configuration {
        assign_public_ip = var.assign_public_ip
        security_groups  = [aws_security_group.controller.id]
        subnets          = var.subnet_ids
      }
    }

    # A late start is worth nothing: the next minute has its own.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:Logs hold no messages, only why a fleet has its size; CloudWatch encrypts them by its own key
  #checkov:skip=CKV_AWS_338:How long is the user's choice, log_retention_days; the journal in the state table tells the same for 14 days
  name              = "/weir/${local.name}"
  retention_in_days = var.log_retention_days
}

# The controller calls; nobody calls it.
resource "aws_security_group" "controller" {
  #checkov:skip=CKV2_AWS_5:The schedule gives it to the tasks that it starts
  name_prefix = "${local.name}-"
  description = "Weir controller: HTTPS out, nothing in"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

# HTTPS to anywhere: AWS's endpoints have no fixed addresses.
resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.controller.id
  description       = "AWS endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
