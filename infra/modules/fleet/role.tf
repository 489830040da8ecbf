# What a worker may do: its own queues, its own reports, its own group.

resource "aws_iam_role" "worker" {
  name_prefix = substr("${var.name_prefix}-worker-${var.name}-", 0, 38) # IAM appends 26 characters to at most 38
  description = "Weir workers of the fleet ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "worker" {
  name = "worker"
  role = aws_iam_role.worker.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Consume"
        Effect = "Allow"
        Action = [
          "sqs:ChangeMessageVisibility",
          "sqs:DeleteMessage",
          "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl",
          "sqs:ReceiveMessage",
        ]
        Resource = [for queue in var.queues : queue.arn]
      },
      {
        Sid      = "GiveUpOnPoison"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = [for queue in var.queues : queue.dead_letter_arn]
      },
      {
        # Transactions need no action of their own, only those of their parts.
        Sid      = "KeepJobRecords"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
        Resource = [var.jobs_table.arn]
      },
      {
        Sid       = "Report"
        Effect    = "Allow"
        Action    = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
        Resource  = [var.state_table.arn]
        Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["reports#${var.name}"] } }
      },
      {
        Sid      = "Leave"
        Effect   = "Allow"
        Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
        Resource = [local.group_arn]
      },
      {
        Sid      = "Install"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["arn:${data.aws_partition.current.partition}:s3:::${var.artifact.bucket}/${var.artifact.key}"]
      },
    ]
  })
}

# The handler's own needs, by position: an ARN may not be known before apply, a count is.
resource "aws_iam_role_policy_attachment" "handler" {
  count = length(var.policy_arns)

  role       = aws_iam_role.worker.name
  policy_arn = var.policy_arns[count.index]
}

resource "aws_iam_instance_profile" "worker" {
  name_prefix = substr("${var.name_prefix}-worker-${var.name}-", 0, 38)
  role        = aws_iam_role.worker.name
}
