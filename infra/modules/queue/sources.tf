# Who sends to the queue besides a front end: SNS topics, whose messages come as they were published,
# and EventBridge rules. Only the very topic or rule may: a service that is asked by somebody else to
# send here (the confused deputy) has another SourceArn.

locals {
  events_prefix = "arn:${data.aws_partition.current.partition}:events:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:rule"

  # A rule of the default bus has no bus in its ARN.
  rule_names = { for name, rule in var.event_rules : name => "${trimsuffix(var.name, ".fifo")}-${name}" }
  rule_arns  = { for name, rule in var.event_rules : name => "${local.events_prefix}/${rule.bus == "default" ? "" : "${rule.bus}/"}${local.rule_names[name]}" }

  source_statements = [for service, arns in {
    "sns.amazonaws.com"    = values(var.sns_topics)
    "events.amazonaws.com" = values(local.rule_arns)
    } : {
    Sid       = service == "sns.amazonaws.com" ? "TakeFromTopics" : "TakeFromRules"
    Effect    = "Allow"
    Principal = { Service = service }
    Action    = "sqs:SendMessage"
    Resource  = local.arn
    Condition = { ArnEquals = { "aws:SourceArn" = arns } }
  } if length(arns) > 0]
}

resource "aws_sns_topic_subscription" "this" {
  for_each = var.sns_topics

  topic_arn            = each.value
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.this.arn
  raw_message_delivery = true # the body and its attributes, JobId among them, arrive as they were published
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = var.event_rules

  name                = local.rule_names[each.key]
  description         = "Sends to the queue ${var.name}"
  event_bus_name      = each.value.bus
  event_pattern       = each.value.pattern
  schedule_expression = each.value.schedule
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = var.event_rules

  rule           = aws_cloudwatch_event_rule.this[each.key].name
  event_bus_name = each.value.bus
  arn            = aws_sqs_queue.this.arn
  input          = each.value.input

  dynamic "sqs_target" {
    for_each = local.fifo ? [coalesce(each.value.message_group_id, each.key)] : []

    content {
      message_group_id = sqs_target.value
    }
  }
}
