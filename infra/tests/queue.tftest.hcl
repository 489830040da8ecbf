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
