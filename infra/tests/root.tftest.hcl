# The root: policies in, fleets out; a bad variable is refused before anything is planned.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  policies            = "./tests/fixtures/fleets"
  controller_artifact = { bucket = "artifacts", key = "weir/weir-lambda.zip", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  worker = {
    artifact = {
      bucket = "artifacts"
      key    = "weir/worker.tar.gz"
      sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
  }
}

run "makes_a_fleet_of_each_file" {
  command = plan

  assert {
    condition     = output.auto_scaling_groups == { mails = "mail-workers", reports = "report-workers", videos = "video-workers" }
    error_message = "Groups and policies differ: ${jsonencode(output.auto_scaling_groups)}."
  }

  assert {
    condition     = join(",", keys(module.queue)) == "reports,shared"
    error_message = "A queue that two fleets share is made once; got ${join(", ", keys(module.queue))}."
  }
}

run "takes_the_policies_that_are_shipped" {
  command = plan

  variables {
    policies = "../policies"
  }

  assert {
    condition     = toset(keys(output.auto_scaling_groups)) == toset([for file in fileset("../policies", "*.yaml") : yamldecode(file("../policies/${file}")).name])
    error_message = "The shipped policies give the fleets ${join(", ", keys(output.auto_scaling_groups))}."
  }
}

run "lets_one_fleet_differ" {
  command = plan

  variables {
    worker_overrides = { mails = { instance_type = "t4g.small" } }
  }

  assert {
    condition     = local.workers["mails"].instance_type == "t4g.small" && local.workers["videos"].instance_type == "c7i.large"
    error_message = "The override must reach mails and no other fleet."
  }

  assert {
    condition     = local.workers["mails"].artifact.key == "weir/worker.tar.gz"
    error_message = "What an override leaves out stays as it is for all."
  }
}

run "uses_the_default_vpc_with_public_addresses" {
  command = plan

  assert {
    condition     = local.vpc_id == "vpc-00000000000000001" && local.assign_public_ip && join(",", local.subnet_ids) == "subnet-00000000000000001,subnet-00000000000000002"
    error_message = "No subnets given: the default VPC's, sorted, with public addresses."
  }
}

run "uses_given_subnets_without_public_addresses" {
  command = plan

  variables {
    subnet_ids = ["subnet-0000000000000000a"]
  }

  assert {
    condition     = local.vpc_id == "vpc-00000000000000002" && !local.assign_public_ip && join(",", local.subnet_ids) == "subnet-0000000000000000a"
    error_message = "Given subnets decide the VPC, and get no public addresses."
  }
}

run "gives_a_producer_just_what_it_needs" {
  command = plan

  assert {
    condition = flatten([for s in jsondecode(output.producer_policy).Statement : s.Action]) == [
    "sqs:GetQueueUrl", "sqs:SendMessage", "dynamodb:BatchGetItem", "dynamodb:GetItem"]
    error_message = "A producer sends and reads results: ${output.producer_policy}"
  }
}

run "refuses_a_region_that_is_none" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_an_image_without_a_version" {
  command = plan

  variables {
    controller_image = "docker.io/example/weir"
  }

  expect_failures = [var.controller_image]
}

run "refuses_an_override_for_no_fleet" {
  command = plan

  variables {
    worker_overrides = { mailz = { instance_type = "t4g.small" } }
  }

  expect_failures = [var.worker_overrides]
}

run "refuses_a_count_of_deliveries_out_of_range" {
  command = plan

  variables {
    max_receive_count = 0
  }

  expect_failures = [var.max_receive_count]
}

run "refuses_a_name_prefix_that_names_cannot_begin_with" {
  command = plan

  variables {
    name_prefix = "Weir_"
  }

  expect_failures = [var.name_prefix]
}

run "refuses_a_log_retention_that_is_not_offered" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_subnets_that_are_none" {
  command = plan

  variables {
    subnet_ids = ["vpc-00000000000000001"]
  }

  expect_failures = [var.subnet_ids]
}

run "refuses_an_architecture_that_nothing_is_built_for" {
  command = plan

  variables {
    architecture = "ARM64"
  }

  expect_failures = [var.architecture]
}

run "runs_the_controller_where_it_is_told" {
  command = plan

  variables {
    controller_artifact = null
    controller_image    = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/weir:0.1.0"
    controller_runtime  = "ecs"
  }

  assert {
    condition     = length(module.controller.units) == 0 && module.controller.cluster_name == "weir-controller" && output.controller_log_group == "/weir/weir-controller"
    error_message = "controller_runtime must reach the controller."
  }
}

run "hands_a_host_its_units" {
  command = plan

  variables {
    controller_artifact = null
    controller_runtime  = "systemd"
  }

  assert {
    condition     = join(",", keys(output.controller_units)) == "weir.env,weir.service,weir.timer" && output.controller_log_group == null
    error_message = "A host needs the units and their environment."
  }
}

run "refuses_a_runtime_that_is_none" {
  command = plan

  variables {
    controller_runtime = "fargate"
  }

  expect_failures = [var.controller_runtime]
}

run "refuses_a_function_without_its_zip" {
  command = plan

  variables {
    controller_artifact = null
  }

  expect_failures = [var.controller_artifact]
}

run "refuses_a_task_without_its_image" {
  command = plan

  variables {
    controller_runtime = "ecs"
  }

  expect_failures = [var.controller_image]
}

run "refuses_a_concurrency_that_shuts_the_controller_off" {
  command = plan

  variables {
    controller_reserved_concurrency = 0
  }

  expect_failures = [var.controller_reserved_concurrency]
}

run "refuses_an_address_that_is_none" {
  command = plan

  variables {
    alarm_email = "ops"
  }

  expect_failures = [var.alarm_email]
}

run "refuses_a_topic_that_alarms_cannot_publish_to" {
  command = plan

  variables {
    alarm_topic_arns = ["on-call"]
  }

  expect_failures = [var.alarm_topic_arns]
}

run "refuses_to_call_late_at_once" {
  command = plan

  variables {
    alarm_late_minutes = 0.5
  }

  expect_failures = [var.alarm_late_minutes]
}

run "refuses_a_price_for_no_fleet" {
  command = plan

  variables {
    instance_hour_prices = { mailz = 0.1 }
  }

  expect_failures = [var.instance_hour_prices]
}

run "refuses_a_price_below_nothing" {
  command = plan

  variables {
    instance_hour_prices = { mails = -1 }
  }

  expect_failures = [var.instance_hour_prices]
}
