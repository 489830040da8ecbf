# Two roles: the task's, by which the worker works, and the one by which ECS starts it.

locals {
  # ECS, on behalf of this account alone.
  assumed_by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })

  # Images elsewhere than in ECR are public to ECS and need no permission.
  ecr = try(regex("^(?P<account>[0-9]{12})[.]dkr[.]ecr[.](?P<region>[a-z0-9-]+)[.]amazonaws[.]com(?:[.]cn)?/(?P<repository>[^:@]+)", var.image), null)
}

resource "aws_iam_role" "task" {
  name_prefix          = substr("${local.family}-", 0, 38) # IAM appends 26 characters to at most 38
  description          = "Weir workers of the fleet ${var.name}"
  assume_role_policy   = local.assumed_by_tasks
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.task.id
  policy = var.worker_policy
}

resource "aws_iam_role_policy" "task" {
  name = "task"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Through the agent, which calls ECS by the task's role. A task's id is not known before it
        # runs, so the * stands for it; the tag keeps other services of the cluster out.
        Sid       = "ProtectItself"
        Effect    = "Allow"
        Action    = ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"]
        Resource  = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:task/${var.cluster}/*"]
        Condition = { StringEquals = { "aws:ResourceTag/weir:fleet" = var.name } }
      },
      {
        # Where the controller asks a task to leave.
        Sid       = "HearLeaveRequests"
        Effect    = "Allow"
        Action    = ["dynamodb:GetItem"]
        Resource  = [var.state_table.arn]
        Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["leave#${var.name}"] } }
      },
    ]
  })
}

# The handler's own needs, by position: an ARN may not be known before apply, a count is.
resource "aws_iam_role_policy_attachment" "handler" {
  count = length(var.policy_arns)

  role       = aws_iam_role.task.name
  policy_arn = var.policy_arns[count.index]
}

resource "aws_iam_role" "execution" {
  name_prefix          = substr("${var.name_prefix}-exec-${var.name}-", 0, 38)
  description          = "Starts Weir workers of the fleet ${var.name}"
  assume_role_policy   = local.assumed_by_tasks
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
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
