# One role a program: the controller itself, ECS when it starts the task, the scheduler.

################################################################################
# The controller
################################################################################

locals {
  group_arns    = [for fleet in var.fleets : fleet.group_arn]
  tracking_arns = [for fleet in var.fleets : fleet.group_arn if fleet.actuate == "target_tracking"]

  # The state table's partitions are told apart by a prefix: PREFIX#FLEET.
  in_partitions = { for prefix in ["controller", "journal", "reports"] : prefix => {
    "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = [for name in keys(var.fleets) : "${prefix}#${name}"] }
  } }
}

resource "aws_iam_role" "controller" {
  name_prefix        = substr("${local.name}-", 0, 38)
  description        = "Weir controller"
  assume_role_policy = local.assumed_by["ecs-tasks.amazonaws.com"]
}

resource "aws_iam_role_policy" "controller" {
  name = "controller"
  role = aws_iam_role.controller.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "ReadQueues"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
        Resource = distinct(flatten([for fleet in var.fleets : fleet.queue_arns]))
      },
      {
        # Each of these knows neither resources nor conditions that would narrow it; none changes
        # anything.
        Sid    = "ReadFleets"
        Effect = "Allow"
        Action = [
          "autoscaling:DescribeAutoScalingGroups",
          "autoscaling:DescribePolicies",
          "cloudwatch:GetMetricData",
          "ec2:DescribeInstances",
        ]
        Resource = ["*"]
      },
      {
        # Metrics have no ARN, hence the *; the namespace is what can be held to.
        Sid       = "PublishMetrics"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = ["*"]
        Condition = { StringEquals = { "cloudwatch:namespace" = "Weir/Fleet" } }
      },
      {
        Sid      = "SizeGroups"
        Effect   = "Allow"
        Action   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
        Resource = local.group_arns
      },
      {
        # The lease and the history; the history is written in a transaction that looks at the lease.
        Sid       = "KeepState"
        Effect    = "Allow"
        Action    = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
        Resource  = [var.state_table.arn]
        Condition = local.in_partitions["controller"]
      },
      {
        Sid       = "WriteJournal"
        Effect    = "Allow"
        Action    = ["dynamodb:PutItem"]
        Resource  = [var.state_table.arn]
        Condition = local.in_partitions["journal"]
      },
      {
        Sid       = "ReadReports"
        Effect    = "Allow"
        Action    = ["dynamodb:Query"]
        Resource  = [var.state_table.arn]
        Condition = local.in_partitions["reports"]
      },
      ], length(local.tracking_arns) == 0 ? [] : [{
        # Only where a policy says `actuate: target_tracking`.
        Sid      = "SetTargets"
        Effect   = "Allow"
        Action   = ["autoscaling:PutScalingPolicy"]
        Resource = local.tracking_arns
    }])
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
  name_prefix        = substr("${local.name}-exec-", 0, 38)
  description        = "Starts Weir controller tasks"
  assume_role_policy = local.assumed_by["ecs-tasks.amazonaws.com"]
}

resource "aws_iam_role_policy" "execution" {
  name = "execution"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid    = "WriteLog"
      Effect = "Allow"
      Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
      # The streams of this one group, whose names ECS makes up.
      Resource = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${aws_cloudwatch_log_group.this.name}:*"]
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
# The scheduler: start the tasks of this cluster, with these two roles
################################################################################

resource "aws_iam_role" "scheduler" {
  name_prefix        = substr("${local.name}-schedule-", 0, 38)
  description        = "Starts Weir controller tasks every minute"
  assume_role_policy = local.assumed_by["scheduler.amazonaws.com"]
}

resource "aws_iam_role_policy" "scheduler" {
  name = "scheduler"
  role = aws_iam_role.scheduler.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "RunTasks"
        Effect = "Allow"
        Action = ["ecs:RunTask"]
        # Any revision: the schedule names one, and a new one replaces it.
        Resource  = [for name in keys(var.fleets) : "arn:${local.partition}:ecs:${local.region}:${local.account_id}:task-definition/${local.name}-${name}:*"]
        Condition = { ArnEquals = { "ecs:cluster" = "arn:${local.partition}:ecs:${local.region}:${local.account_id}:cluster/${local.name}" } }
      },
      {
        Sid       = "HandOverRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [aws_iam_role.controller.arn, aws_iam_role.execution.arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}

################################################################################
# Who may take these roles: the named service, on behalf of this account alone
################################################################################

locals {
  assumed_by = { for service in ["ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"] : service => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = service }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  }) }
}
