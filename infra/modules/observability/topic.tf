# Where alarms are sent: topics that are given, and one made here where an address is.

locals {
  makes_topic = var.alarm_email != null
  makes_key   = local.makes_topic && var.kms_key_arn == null

  actions    = concat(var.alarm_topic_arns, aws_sns_topic.alarms[*].arn)
  topic_name = "${var.name_prefix}-alarms"
  topic_arn  = "arn:${local.partition}:sns:${local.region}:${local.account_id}:${local.topic_name}"

  # Alarms of this account and region, and nobody else's.
  from_alarms_here = {
    StringEquals = { "aws:SourceAccount" = local.account_id }
    ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:cloudwatch:${local.region}:${local.account_id}:alarm:*" }
  }
}

resource "aws_sns_topic" "alarms" {
  count = local.makes_topic ? 1 : 0

  name              = local.topic_name
  kms_master_key_id = local.makes_key ? aws_kms_key.alarms[0].arn : var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "alarms" {
  count = local.makes_topic ? 1 : 0

  arn = aws_sns_topic.alarms[0].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TakeAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = local.from_alarms_here
      },
      {
        Sid       = "RefusePlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count = local.makes_topic ? 1 : 0

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# CloudWatch may not use the key that AWS keeps for SNS (its policy cannot be changed), so an
# encrypted topic that alarms reach needs a key of its own.
resource "aws_kms_key" "alarms" {
  count = local.makes_key ? 1 : 0

  description             = "Encrypts the topic ${local.topic_name}"
  deletion_window_in_days = 7
  enable_key_rotation     = true
  tags                    = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # A key that the account's administrators cannot manage is lost; * is this key.
        Sid       = "LetTheAccountDecide"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # In a key's policy * is this key.
        Sid       = "SendAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = local.from_alarms_here
      },
    ]
  })
}
