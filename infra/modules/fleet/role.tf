# What an instance may do: what every worker may (worker_policy), and what the boot script does.

resource "aws_iam_role" "worker" {
  name_prefix          = substr("${var.name_prefix}-worker-${var.name}-", 0, 38) # IAM appends 26 characters to at most 38
  description          = "Weir workers of the fleet ${var.name}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags

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
  name   = "worker"
  role   = aws_iam_role.worker.id
  policy = var.worker_policy
}

resource "aws_iam_role_policy" "instance" {
  name = "instance"
  role = aws_iam_role.worker.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          # Neither action knows a condition on the instance: a worker could speak for another of
          # its own group, and of no other.
          Sid      = "AnswerHooks"
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
      ],
      var.kms_key_arn == null ? [] : [{
        Sid      = "ReadTheArtifact"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [var.kms_key_arn]
        Condition = { StringEquals = {
          "kms:ViaService" = "s3.${data.aws_region.current.name}.${data.aws_partition.current.dns_suffix}"
        } }
      }],
    )
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
  tags        = local.tags
}
