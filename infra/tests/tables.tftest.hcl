# modules/tables: the keys that the programs expect, and nothing lost by mistake.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name_prefix         = "weir"
  deletion_protection = true
}

run "has_the_programs_keys" {
  command = plan

  module {
    source = "./modules/tables"
  }

  assert {
    condition     = aws_dynamodb_table.jobs.name == "weir-jobs" && aws_dynamodb_table.jobs.hash_key == "job_id"
    error_message = "The jobs table must be weir-jobs, keyed by job_id."
  }

  assert {
    condition     = aws_dynamodb_table.state.name == "weir-state" && aws_dynamodb_table.state.hash_key == "pk" && aws_dynamodb_table.state.range_key == "sk"
    error_message = "The state table must be weir-state, keyed by pk and sk."
  }
}

run "protects_and_expires_items_in_both" {
  command = plan

  module {
    source = "./modules/tables"
  }

  assert {
    condition = alltrue([for table in [aws_dynamodb_table.jobs, aws_dynamodb_table.state] : (
      table.ttl[0].attribute_name == "expires_at" && table.ttl[0].enabled
      && table.point_in_time_recovery[0].enabled && table.server_side_encryption[0].enabled
      && table.billing_mode == "PAY_PER_REQUEST" && table.deletion_protection_enabled
    )])
    error_message = "A table lacks TTL on expires_at, recovery, encryption, on-demand billing or deletion protection."
  }
}

run "may_be_torn_down_when_told" {
  command = plan

  module {
    source = "./modules/tables"
  }

  variables {
    deletion_protection = false
  }

  assert {
    condition     = !aws_dynamodb_table.jobs.deletion_protection_enabled && !aws_dynamodb_table.state.deletion_protection_enabled
    error_message = "deletion_protection = false must reach both tables."
  }
}

run "uses_the_customers_key_and_bound_when_given" {
  command = plan

  module {
    source = "./modules/tables"
  }

  variables {
    kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/1"
    request_units_max = 4000
  }

  assert {
    condition = alltrue([for table in [aws_dynamodb_table.jobs, aws_dynamodb_table.state] : (
      table.server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/1"
      && table.on_demand_throughput[0].max_write_request_units == 4000 && table.on_demand_throughput[0].max_read_request_units == 4000
    )])
    error_message = "Key and bound must reach both tables."
  }
}
