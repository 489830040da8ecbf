# modules/queue: a queue that loses nothing and speaks TLS.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                       = "thumbnails"
  max_receive_count          = 10
  message_retention_seconds  = 345600
  visibility_timeout_seconds = 61
}

run "is_as_asked" {
  command = plan

  module {
    source = "./modules/queue"
  }

  assert {
    condition = (aws_sqs_queue.this.name == "thumbnails" && aws_sqs_queue.this.visibility_timeout_seconds == 61
    && aws_sqs_queue.this.message_retention_seconds == 345600 && aws_sqs_queue.this.sqs_managed_sse_enabled)
    error_message = "The queue is not what was asked for."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter.name == "thumbnails-dlq" && aws_sqs_queue.dead_letter.sqs_managed_sse_enabled
    error_message = "The dead-letter queue is misnamed or unencrypted."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter.message_retention_seconds > aws_sqs_queue.this.message_retention_seconds
    error_message = "A dead letter keeps the time it was first sent: its queue must keep for longer."
  }

  assert {
    condition     = output.arn == "arn:aws:sqs:eu-west-1:123456789012:thumbnails" && output.dead_letter_arn == "${output.arn}-dlq"
    error_message = "The ARNs must be known at plan; got ${output.arn} and ${output.dead_letter_arn}."
  }
}

run "refuses_plain_http_on_both_queues" {
  command = plan

  module {
    source = "./modules/queue"
  }

  assert {
    condition = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dead_letter] : (
      jsondecode(queue.policy).Statement[0].Effect == "Deny"
      && jsondecode(queue.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
      && endswith(jsondecode(queue.policy).Statement[0].Resource, ":${queue.name}")
    )])
    error_message = "A queue may be used without TLS, or its policy speaks of another."
  }
}

run "refuses_a_name_that_sqs_would_refuse" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name = "thumb.nails"
  }

  expect_failures = [var.name]
}

run "refuses_a_retention_beyond_the_dead_letter_queues" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    message_retention_seconds = 1209600
  }

  expect_failures = [var.message_retention_seconds]
}

run "is_fifo_when_its_name_says_so" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name = "orders.fifo"
  }

  assert {
    condition     = aws_sqs_queue.this.fifo_queue && aws_sqs_queue.dead_letter.fifo_queue && aws_sqs_queue.dead_letter.name == "orders-dlq.fifo"
    error_message = "A FIFO queue's dead-letter queue must be FIFO, and named so; got ${aws_sqs_queue.dead_letter.name}."
  }

  assert {
    condition = (aws_sqs_queue.this.deduplication_scope == "messageGroup" && aws_sqs_queue.this.fifo_throughput_limit == "perMessageGroupId"
    && !aws_sqs_queue.this.content_based_deduplication)
    error_message = "High throughput, and only the sender says which messages are the same."
  }

  assert {
    condition     = output.dead_letter_arn == "arn:aws:sqs:eu-west-1:123456789012:orders-dlq.fifo"
    error_message = "Got ${output.dead_letter_arn}."
  }
}

run "uses_the_customers_key_when_given" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    kms_key_arn                = "arn:aws:kms:eu-west-1:123456789012:key/1"
    kms_data_key_reuse_seconds = 3600
  }

  assert {
    condition = alltrue([for queue in [aws_sqs_queue.this, aws_sqs_queue.dead_letter] :
    queue.kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1" && queue.kms_data_key_reuse_period_seconds == 3600])
    error_message = "Both queues must be under the key."
  }
}

run "takes_from_its_topics_and_rules_and_from_no_others" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    sns_topics  = { uploads = "arn:aws:sns:eu-west-1:123456789012:uploads" }
    event_rules = { nightly = { schedule = "rate(1 day)", input = "{}" }, bus = { pattern = "{\"source\":[\"shop\"]}", bus = "shop" } }
  }

  assert {
    condition = { for s in jsondecode(aws_sqs_queue.this.policy).Statement : s.Sid => s.Condition.ArnEquals["aws:SourceArn"] if s.Effect == "Allow" } == {
      TakeFromTopics = ["arn:aws:sns:eu-west-1:123456789012:uploads"]
      TakeFromRules  = ["arn:aws:events:eu-west-1:123456789012:rule/shop/thumbnails-bus", "arn:aws:events:eu-west-1:123456789012:rule/thumbnails-nightly"]
    }
    error_message = "A service may send only for the very topic or rule: ${aws_sqs_queue.this.policy}"
  }

  assert {
    condition     = length(jsondecode(aws_sqs_queue.dead_letter.policy).Statement) == 1
    error_message = "Sources send to the queue, never to the dead letters."
  }

  assert {
    condition     = aws_sns_topic_subscription.this["uploads"].raw_message_delivery
    error_message = "A message must arrive as it was published."
  }
}

run "refuses_a_rule_of_both_kinds" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    event_rules = { both = { schedule = "rate(1 day)", pattern = "{}" } }
  }

  expect_failures = [var.event_rules]
}

run "refuses_events_for_a_fifo_queue_that_cannot_tell_them_apart" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name        = "orders.fifo"
    event_rules = { nightly = { schedule = "rate(1 day)" } }
  }

  expect_failures = [var.event_rules]
}

run "refuses_a_standard_topic_for_a_fifo_queue" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    name       = "orders.fifo"
    sns_topics = { orders = "arn:aws:sns:eu-west-1:123456789012:orders" }
  }

  expect_failures = [var.sns_topics]
}

run "refuses_messages_longer_than_the_provider_lets_through" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    message_bytes_max = 1048576
  }

  expect_failures = [var.message_bytes_max]
}

run "refuses_a_data_key_for_less_than_a_minute" {
  command = plan

  module {
    source = "./modules/queue"
  }

  variables {
    kms_data_key_reuse_seconds = 59
  }

  expect_failures = [var.kms_data_key_reuse_seconds]
}
