# Who talked to whom: the record of connections, for as long as it is asked for.

locals {
  flow_log_name = "/weir/${var.name_prefix}-network"
  account_id    = data.aws_caller_identity.current.account_id
  flow_log_arn  = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.name}:${local.account_id}:log-group:${local.flow_log_name}"
  flow_log      = var.flow_log_days == null ? 0 : 1
}

resource "aws_flow_log" "this" {
  count = local.flow_log

  vpc_id               = aws_vpc.this.id
  traffic_type         = "ALL"
  log_destination      = aws_cloudwatch_log_group.flow[0].arn
  log_destination_type = "cloud-watch-logs"
  iam_role_arn         = aws_iam_role.flow[0].arn
  tags                 = merge(var.tags, { Name = var.name_prefix })
}

resource "aws_cloudwatch_log_group" "flow" {
  count = local.flow_log

  name              = local.flow_log_name
  retention_in_days = var.flow_log_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "flow" {
  count = local.flow_log

  name_prefix          = "${var.name_prefix}-flow-log-"
  description          = "Writes the flow log of Weir's network"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # The service, on behalf of this account's flow logs alone.
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:${data.aws_partition.current.partition}:ec2:${data.aws_region.current.name}:${local.account_id}:vpc-flow-log/*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "flow" {
  count = local.flow_log

  name = "write"
  role = aws_iam_role.flow[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "WriteFlowLog"
      Effect = "Allow"
      Action = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      # The streams of this one group, whose names VPC makes up.
      Resource = [local.flow_log_arn, "${local.flow_log_arn}:*"]
    }]
  })
}
