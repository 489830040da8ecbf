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

run "makes_a_network_when_asked" {
  command = plan

  variables {
    network = { zones = 3, services = ["kms"] }
  }

  assert {
    condition     = length(module.network) == 1 && !local.assign_public_ip && length(local.subnet_ids) == 3
    error_message = "A network of three private subnets was asked for."
  }
}

run "makes_a_payload_bucket_when_asked" {
  command = plan

  variables {
    payload_bucket = {}
  }

  assert {
    condition     = output.payload_bucket == "weir-payloads-123456789012-eu-west-1"
    error_message = "Got ${jsonencode(output.payload_bucket)}."
  }

  assert {
    condition     = one([for s in jsondecode(output.producer_policy).Statement : s if s.Sid == "StoreLargeBodies"]).Resource == ["arn:aws:s3:::weir-payloads-123456789012-eu-west-1/weir-payloads/*"]
    error_message = "A producer may store bodies there and nowhere else: ${output.producer_policy}"
  }
}

run "uploads_an_artifact_from_this_machine" {
  command = plan

  variables {
    worker = { artifact = { path = "./tests/fixtures/worker.tar.gz" } }
  }

  assert {
    condition     = local.worker_artifacts["mails"] == { bucket = "weir-artifacts-123456789012-eu-west-1", key = "artifacts/${filesha256("./tests/fixtures/worker.tar.gz")}/worker.tar.gz", sha256 = filesha256("./tests/fixtures/worker.tar.gz") }
    error_message = "Got ${jsonencode(local.worker_artifacts["mails"])}."
  }
}

run "gives_an_operator_no_right_to_size_or_end_anything" {
  command = plan

  assert {
    condition = length(setintersection(flatten([for s in jsondecode(output.operator_policy).Statement : s.Action]), [
    "autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup", "dynamodb:DeleteItem", "sqs:DeleteQueue", "sqs:PurgeQueue"])) == 0
    error_message = "An operator looks, submits and redrives: ${output.operator_policy}"
  }

  assert {
    condition     = alltrue([for s in jsondecode(output.operator_policy).Statement : s.Sid == "LookAtFleets" || !contains(flatten([s.Resource]), "*")])
    error_message = "Only looking may have a wildcard: ${output.operator_policy}"
  }
}

run "puts_everything_under_the_customers_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
  }

  assert {
    condition     = one([for s in jsondecode(output.producer_policy).Statement : s if s.Sid == "UseKey"]).Resource == ["arn:aws:kms:eu-west-1:123456789012:key/1"]
    error_message = "A producer must be able to use the key: ${output.producer_policy}"
  }
}

run "takes_from_sources_by_queue" {
  command = plan

  variables {
    sources = { shared = { sns_topics = { uploads = "arn:aws:sns:eu-west-1:123456789012:uploads" } } }
  }

  assert {
    condition     = output.auto_scaling_groups["mails"] == "mail-workers"
    error_message = "Sources must not change the fleets."
  }
}

run "refuses_a_source_for_no_queue" {
  command = plan

  variables {
    sources = { nowhere = {} }
  }

  expect_failures = [var.sources]
}

run "refuses_deduplication_of_a_standard_queue" {
  command = plan

  variables {
    fifo_content_deduplication = ["shared"]
  }

  expect_failures = [var.fifo_content_deduplication]
}

run "refuses_messages_longer_than_the_provider_lets_through" {
  command = plan

  variables {
    message_bytes_max = 1048576
  }

  expect_failures = [var.message_bytes_max]
}

run "refuses_a_data_key_for_more_than_a_day" {
  command = plan

  variables {
    kms_data_key_reuse_seconds = 86401
  }

  expect_failures = [var.kms_data_key_reuse_seconds]
}

run "refuses_as_many_receives_as_attempts" {
  command = plan

  variables {
    max_receive_count = 5
  }

  expect_failures = [var.max_receive_count]
}

run "refuses_a_retention_that_outlives_dead_letters" {
  command = plan

  variables {
    message_retention_seconds = 1209600
  }

  expect_failures = [var.message_retention_seconds]
}

run "refuses_a_key_by_its_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/weir"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/admin"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "refuses_tags_that_are_set_here" {
  command = plan

  variables {
    tags = { "weir:fleet" = "mine" }
  }

  expect_failures = [var.tags]
}

run "refuses_a_bound_of_nothing" {
  command = plan

  variables {
    table_request_units_max = 0
  }

  expect_failures = [var.table_request_units_max]
}

run "refuses_a_bucket_name_in_capitals" {
  command = plan

  variables {
    payload_bucket = { name = "Bodies" }
  }

  expect_failures = [var.payload_bucket]
}

run "refuses_half_an_artifact" {
  command = plan

  variables {
    worker = { artifact = { bucket = "artifacts" } }
  }

  expect_failures = [var.worker]
}

run "refuses_a_controllers_artifact_of_both_kinds" {
  command = plan

  variables {
    controller_artifact = { path = "weir.zip", bucket = "b", key = "k", sha256 = "s" }
  }

  expect_failures = [var.controller_artifact]
}

run "refuses_fleets_without_an_artifact" {
  command = plan

  variables {
    worker = {}
  }

  expect_failures = [var.worker_overrides]
}

run "refuses_another_region_than_the_providers" {
  command = plan

  variables {
    region = "us-east-1"
  }

  expect_failures = [var.region]
}

run "refuses_two_networks" {
  command = plan

  variables {
    network    = {}
    subnet_ids = ["subnet-0000000000000000a"]
  }

  expect_failures = [var.network]
}
