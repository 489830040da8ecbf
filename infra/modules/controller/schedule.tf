# Who starts the controller every minute: EventBridge Scheduler, in Lambda and on Fargate.

locals {
  scheduled = !local.on_host

  target_arn = (
    local.in_lambda ? one(aws_lambda_function.this[*].arn) :
    local.on_fargate ? one(aws_ecs_cluster.this[*].arn) :
    null
  )
}

resource "aws_scheduler_schedule_group" "this" {
  count = local.scheduled ? 1 : 0

  name = local.name
  tags = var.tags
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:The schedule holds no data: names and ARNs alone, encrypted by AWS's own key unless one is given
  count = local.scheduled ? 1 : 0

  name                = "rounds"
  description         = "Rounds of all fleets"
  group_name          = aws_scheduler_schedule_group.this[0].name
  kms_key_arn         = var.kms_key_arn
  schedule_expression = "rate(1 minute)"
  state               = var.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.target_arn
    role_arn = aws_iam_role.scheduler[0].arn

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters[0].arn
    }

    dynamic "ecs_parameters" {
      for_each = aws_ecs_task_definition.this

      content {
        task_definition_arn = ecs_parameters.value.arn
        launch_type         = "FARGATE"
        task_count          = 1

        network_configuration {
          assign_public_ip = var.assign_public_ip
          security_groups  = aws_security_group.controller[*].id
          subnets          = var.subnet_ids
        }
      }
    }

    # A late start is worth nothing: the next minute has its own.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }

  # No round of code that nobody knows, and none that may not start.
  depends_on = [aws_iam_role_policy.scheduler, data.aws_lambda_function.this]
}

# Starts that failed, with the reason: the scheduler's own, and those that Lambda took and gave up.
# Nobody works it off; it is there to be read.
resource "aws_sqs_queue" "dead_letters" {
  count = local.scheduled ? 1 : 0

  name                      = local.dead_letters_name
  message_retention_seconds = 1209600 # SQS's longest: 14 days, so that a weekend loses nothing
  kms_master_key_id         = var.kms_key_arn
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  tags                      = var.tags

  # Only denies: who may send is the business of the two roles.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefusePlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*" # every action: none may travel unencrypted
      Resource  = local.dead_letters_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

locals {
  # Computed from names, so that roles can be written beside the queue.
  dead_letters_name = "${local.name}-dlq"
  dead_letters_arn  = "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.dead_letters_name}"
}
