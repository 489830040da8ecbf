# modules/worker: what a worker is told and what it may do, wherever it runs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                       = "thumbnails"
  visibility_timeout_seconds = 61
  queues = [{
    name            = "thumbnails"
    arn             = "arn:aws:sqs:eu-west-1:123456789012:thumbnails"
    dead_letter_arn = "arn:aws:sqs:eu-west-1:123456789012:thumbnails-dlq"
  }]

  job_timeout_seconds = 600

  jobs_table  = { name = "weir-jobs", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-jobs" }
  state_table = { name = "weir-state", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-state" }
}

run "leaves_the_workers_defaults_alone_where_nothing_is_said" {
  command = plan

  module {
    source = "./modules/worker"
  }

  assert {
    condition = output.environment == {
      AWS_REGION              = "eu-west-1"
      WEIR_FLEET              = "thumbnails"
      WEIR_JOBS_TABLE         = "weir-jobs"
      WEIR_JOB_TIMEOUT        = "600s"
      WEIR_QUEUE              = "thumbnails"
      WEIR_STATE_TABLE        = "weir-state"
      WEIR_VISIBILITY_TIMEOUT = "61s"
    }
    error_message = "What the policy leaves open must not be set: ${jsonencode(output.environment)}."
  }
}

run "tells_the_worker_everything" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    environment    = { THUMBNAILS_BUCKET = "photos" }
    exec           = "./thumbnail.sh"
    max_attempts   = 7
    payload_bucket = { name = "payloads", arn = "arn:aws:s3:::payloads" }
    slots          = 4
    queues = [
      { name = "urgent.fifo", priority = 0, arn = "a", dead_letter_arn = "b" },
      { name = "bulk", weight = 3, priority = 1, arn = "c", dead_letter_arn = "d" },
    ]
  }

  assert {
    condition = output.environment == {
      AWS_REGION              = "eu-west-1"
      THUMBNAILS_BUCKET       = "photos"
      WEIR_EXEC               = "./thumbnail.sh"
      WEIR_FLEET              = "thumbnails"
      WEIR_JOBS_TABLE         = "weir-jobs"
      WEIR_JOB_TIMEOUT        = "600s"
      WEIR_MAX_ATTEMPTS       = "7"
      WEIR_PAYLOAD_BUCKET     = "payloads"
      WEIR_QUEUE              = "urgent.fifo,priority=0;bulk,weight=3,priority=1"
      WEIR_SLOTS              = "4"
      WEIR_STATE_TABLE        = "weir-state"
      WEIR_VISIBILITY_TIMEOUT = "61s"
    }
    error_message = "Got ${jsonencode(output.environment)}."
  }
}

run "keeps_the_proportions_of_weights_that_are_not_whole" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    queues = [
      { name = "a", weight = 0.25, arn = "a", dead_letter_arn = "a" },
      { name = "b", arn = "b", dead_letter_arn = "b" },
    ]
  }

  assert {
    condition     = output.environment.WEIR_QUEUE == "a,weight=250;b,weight=1000"
    error_message = "The worker takes whole weights; got ${output.environment.WEIR_QUEUE}."
  }
}

run "refuses_a_queue_without_weight" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    queues = [{ name = "a", weight = 0, arn = "a", dead_letter_arn = "a" }]
  }

  expect_failures = [var.queues]
}

run "sends_jobs_to_a_service" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    http = "http://127.0.0.1:8080/jobs"
  }

  assert {
    condition     = output.environment.WEIR_HTTP == "http://127.0.0.1:8080/jobs" && !contains(keys(output.environment), "WEIR_EXEC")
    error_message = "The service must be the handler: ${jsonencode(output.environment)}."
  }
}

run "lets_the_worker_touch_only_its_own" {
  command = plan

  module {
    source = "./modules/worker"
  }

  assert {
    condition = { for s in jsondecode(output.policy).Statement : s.Sid => s.Resource } == {
      Consume        = ["arn:aws:sqs:eu-west-1:123456789012:thumbnails"]
      GiveUpOnPoison = ["arn:aws:sqs:eu-west-1:123456789012:thumbnails-dlq"]
      KeepJobRecords = ["arn:aws:dynamodb:eu-west-1:123456789012:table/weir-jobs"]
      Report         = ["arn:aws:dynamodb:eu-west-1:123456789012:table/weir-state"]
    }
    error_message = "Got ${output.policy}"
  }

  assert {
    condition = one([for s in jsondecode(output.policy).Statement : s if s.Sid == "Report"]).Condition == {
      "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["reports#thumbnails"] }
    }
    error_message = "A worker may write its own fleet's reports and no other state."
  }
}

run "opens_payloads_and_nothing_else_of_their_bucket" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    payload_bucket = { name = "payloads", arn = "arn:aws:s3:::payloads" }
  }

  assert {
    condition = { for s in jsondecode(output.policy).Statement : s.Sid => [s.Action, s.Resource] if strcontains(s.Sid, "Payloads") } == {
      TakePayloads        = [["s3:DeleteObject", "s3:GetObject"], ["arn:aws:s3:::payloads/weir-payloads/*"]]
      TellMissingPayloads = [["s3:ListBucket"], ["arn:aws:s3:::payloads"]]
    }
    error_message = "Got ${output.policy}"
  }
}

run "uses_the_customers_key_only_through_services" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
  }

  assert {
    condition = one([for s in jsondecode(output.policy).Statement : s if s.Sid == "UseTheKeyThroughServices"]).Condition == {
      StringEquals = { "kms:ViaService" = ["dynamodb.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com"] }
    }
    error_message = "Got ${output.policy}"
  }
}

run "refuses_a_worker_without_a_queue" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    queues = []
  }

  expect_failures = [var.queues]
}

run "refuses_a_job_longer_than_sqs_can_hide_it" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    job_timeout_seconds = 43200
  }

  expect_failures = [var.job_timeout_seconds]
}

run "refuses_an_environment_of_several_lines" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    environment = { BANNER = "one\ntwo" }
  }

  expect_failures = [var.environment]
}

run "refuses_a_command_of_several_lines" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    exec = "one\ntwo"
  }

  expect_failures = [var.exec]
}

run "refuses_a_service_that_is_no_url" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    http = "localhost:8080"
  }

  expect_failures = [var.http]
}

run "refuses_no_attempt" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    max_attempts = 0
  }

  expect_failures = [var.max_attempts]
}

run "refuses_to_hide_for_a_second" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    visibility_timeout_seconds = 1
  }

  expect_failures = [var.visibility_timeout_seconds]
}

run "refuses_two_handlers" {
  command = plan

  module {
    source = "./modules/worker"
  }

  variables {
    exec = "./job.sh"
    http = "http://127.0.0.1:8080/"
  }

  expect_failures = [var.http]
}
