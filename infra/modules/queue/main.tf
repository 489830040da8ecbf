# One SQS queue with its dead-letter queue.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # A FIFO queue's name ends in .fifo, and so must its dead-letter queue's.
  fifo             = endswith(var.name, ".fifo")
  dead_letter_name = "${trimsuffix(var.name, ".fifo")}-dlq${local.fifo ? ".fifo" : ""}"

  # Computed from names, so that policies can be written before, and beside, what they speak of.
  arn_prefix      = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}"
  arn             = "${local.arn_prefix}:${var.name}"
  dead_letter_arn = "${local.arn_prefix}:${local.dead_letter_name}"

  # SQS's longest. A message keeps the time it was first sent when it moves to the dead-letter
  # queue, so a shorter retention there could delete it on arrival.
  dead_letter_retention_seconds = 1209600
}

resource "aws_sqs_queue" "this" {
  name                       = var.name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = var.message_retention_seconds
  max_message_size           = var.message_bytes_max
  receive_wait_time_seconds  = 20 # long polls for every consumer: fewer calls, none answered by a part of the servers only
  policy                     = local.policies[local.arn]
  tags                       = var.tags

  fifo_queue                  = local.fifo
  content_based_deduplication = local.fifo ? var.content_based_deduplication : null

  # High throughput: order is kept within a group, so nothing is lost by counting limits by group.
  deduplication_scope   = local.fifo ? "messageGroup" : null
  fifo_throughput_limit = local.fifo ? "perMessageGroupId" : null

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : var.kms_data_key_reuse_seconds

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue" "dead_letter" {
  name                      = local.dead_letter_name
  message_retention_seconds = local.dead_letter_retention_seconds
  max_message_size          = var.message_bytes_max
  policy                    = local.policies[local.dead_letter_arn]
  tags                      = var.tags

  fifo_queue            = local.fifo
  deduplication_scope   = local.fifo ? "messageGroup" : null
  fifo_throughput_limit = local.fifo ? "perMessageGroupId" : null

  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : var.kms_data_key_reuse_seconds
}

# Only this queue may send its dead letters there, and only there can they be redriven to.
resource "aws_sqs_queue_redrive_allow_policy" "this" {
  queue_url = aws_sqs_queue.dead_letter.url

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

# A resource policy that denies, and lets in only the sources: who else may use the queue is the
# business of roles.
locals {
  policies = { for arn in [local.arn, local.dead_letter_arn] : arn => jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid       = "RefusePlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*" # every action: none may travel unencrypted
      Resource  = arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }], arn == local.arn ? local.source_statements : [])
  }) }
}
