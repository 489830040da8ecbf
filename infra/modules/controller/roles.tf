# One role a program: the controller itself, the scheduler that starts it, ECS when it does so.

################################################################################
# The controller. permissions.tf says what it may do; here, what only its runtime needs
################################################################################

locals {
  runtime_service = {
    ecs     = "ecs-tasks.amazonaws.com"
    lambda  = "lambda.amazonaws.com"
    systemd = "ec2.${local.dns_suffix}"
  }[var.runtime]

  # IAM's most for all inline policies of a role together, white space not counted.
  inline_characters_max = 10240
}

resource "aws_iam_role" "controller" {
  name_prefix          = substr("${local.name}-", 0, 38)
  description          = "Weir controller"
  assume_role_policy   = local.assumed_by[local.runtime_service]
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "controller" {
  name   = "controller"
  role   = aws_iam_role.controller.id
  policy = local.permissions

  lifecycle {
    precondition {
      condition     = length(local.permissions) + 1500 <= local.inline_characters_max
      error_message = "The controller's permissions on ${length(var.fleets)} fleets take ${length(local.permissions)} characters, but IAM allows a role ${local.inline_characters_max} of which 1500 are kept for its runtime: part the policies into two folders and apply each with a name_prefix and a state of its own."
    }
  }
}

resource "aws_iam_role_policy" "lambda" {
  count = local.in_lambda ? 1 : 0

  name = "lambda"
  role = aws_iam_role.controller.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid    = "WriteLog"
          Effect = "Allow"
          Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
          # The streams of this one group, whose names Lambda makes up.
          Resource = ["${local.log_group_arn}:*"]
        },
        {
          # Lambda sends with the function's role what the function did not do.
          Sid      = "TellFailures"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage"]
          Resource = [local.dead_letters_arn]
        },
      ],
      local.dead_letters_key_statements,
      !var.tracing ? [] : [{
        Sid      = "Trace"
        Effect   = "Allow"
        Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        Resource = ["*"] # X-Ray knows no resource for what is sent to it
      }],
    )
  })
}

################################################################################
# ECS, when it starts the task: pull the image, write the log
################################################################################

locals {
  # Images elsewhere than in ECR are public to ECS and need no permission.
  ecr = try(regex("^(?P<account>[0-9]{12})[.]dkr[.]ecr[.](?P<region>[a-z0-9-]+)[.]amazonaws[.]com(?:[.]cn)?/(?P<repository>[^:@]+)", var.image), null)
}

resource "aws_iam_role" "execution" {
  count = local.on_fargate ? 1 : 0

  name_prefix          = substr("${local.name}-exec-", 0, 38)
  description          = "Starts Weir controller tasks"
  assume_role_policy   = local.assumed_by["ecs-tasks.amazonaws.com"]
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "execution" {
  count = local.on_fargate ? 1 : 0

  name = "execution"
  role = aws_iam_role.execution[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid    = "WriteLog"
      Effect = "Allow"
      Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
      # The streams of this one group, whose names ECS makes up.
      Resource = ["${local.log_group_arn}:*"]
      }], local.ecr == null ? [] : [
      {
        Sid      = "LogIntoRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"] # the token is the account's: the action knows no resource
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = ["arn:${local.partition}:ecr:${local.ecr.region}:${local.ecr.account}:repository/${local.ecr.repository}"]
      },
    ])
  })
}

################################################################################
# The scheduler: invoke this function, or start tasks of this cluster with these two roles
################################################################################

resource "aws_iam_role" "scheduler" {
  count = local.scheduled ? 1 : 0

  name_prefix          = substr("${local.name}-schedule-", 0, 38)
  description          = "Starts the Weir controller every minute"
  assume_role_policy   = local.assumed_by["scheduler.amazonaws.com"]
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "scheduler" {
  count = local.scheduled ? 1 : 0

  name = "scheduler"
  role = aws_iam_role.scheduler[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      !local.in_lambda ? [] : [{
        Sid      = "Invoke"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [local.function_arn]
      }],
      [for statement in [
        {
          Sid    = "RunTasks"
          Effect = "Allow"
          Action = ["ecs:RunTask"]
          # Any revision: the schedule names one, and a new one replaces it.
          Resource  = ["${local.ecs_arn}:task-definition/${local.name}:*"]
          Condition = { ArnEquals = { "ecs:cluster" = "${local.ecs_arn}:cluster/${local.name}" } }
        },
        {
          Sid       = "HandOverRoles"
          Effect    = "Allow"
          Action    = ["iam:PassRole"]
          Resource  = concat([aws_iam_role.controller.arn], aws_iam_role.execution[*].arn)
          Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
        },
      ] : statement if local.on_fargate],
      [{
        Sid      = "TellFailures"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [local.dead_letters_arn]
      }],
      local.dead_letters_key_statements,
      # The schedule itself is kept under the key as well.
      var.kms_key_arn == null ? [] : [{
        Sid       = "ReadSchedule"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "scheduler.${local.region}.${local.dns_suffix}" } }
      }],
    )
  })
}

locals {
  # To send to a queue under a key is to make a data key, and to read it back.
  dead_letters_key_statements = var.kms_key_arn == null ? [] : [{
    Sid       = "EncryptFailures"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = [var.kms_key_arn]
    Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${local.dns_suffix}" } }
  }]
}

################################################################################
# Who may take these roles: the named service, on behalf of this account alone
################################################################################

locals {
  assumed_by = { for service in distinct([local.runtime_service, "ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"]) : service => jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      {
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = "sts:AssumeRole"
      },
      # EC2 says nothing of an account: it gives a role to an instance of its own account only.
      startswith(service, "ec2.") ? {} : { Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } } },
    )]
  }) }
}
