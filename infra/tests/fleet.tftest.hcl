# modules/fleet: the group that never ends a busy worker by itself, and what its instances are.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name                       = "thumbnails"
  group_name                 = "thumbnails-workers"
  min_size                   = 0
  max_size                   = 40
  boot_seconds               = 90.5
  slots                      = 4
  visibility_timeout_seconds = 61
  queues = [{
    name            = "thumbnails"
    arn             = "arn:aws:sqs:eu-west-1:123456789012:thumbnails"
    dead_letter_arn = "arn:aws:sqs:eu-west-1:123456789012:thumbnails-dlq"
  }]

  artifact = {
    bucket = "artifacts"
    key    = "weir/worker.tar.gz"
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }
  environment         = { THUMBNAILS_BUCKET = "photos" }
  exec                = "./thumbnail.sh --quality \"80\" $HOME"
  image_id            = null
  instance_type       = "c7i.large"
  job_timeout_seconds = 600
  policy_arns         = ["arn:aws:iam::123456789012:policy/photos"]
  volume_gib          = 8

  assign_public_ip = false
  jobs_table       = { name = "weir-jobs", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-jobs" }
  name_prefix      = "weir"
  state_table      = { name = "weir-state", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-state" }
  subnet_ids       = ["subnet-00000000000000001"]
  tags             = { application = "weir" }
  vpc_id           = "vpc-00000000000000001"
}

run "sizes_the_group_as_the_policy_says" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = (aws_autoscaling_group.this.name == "thumbnails-workers" && aws_autoscaling_group.this.min_size == 0
    && aws_autoscaling_group.this.max_size == 40 && aws_autoscaling_group.this.desired_capacity == 0)
    error_message = "The group must begin at min 0 and go to max 40."
  }

  assert {
    condition     = aws_autoscaling_group.this.default_instance_warmup == 91
    error_message = "The warm-up is the boot time, in whole seconds; got ${aws_autoscaling_group.this.default_instance_warmup}."
  }
}

run "never_lets_the_group_choose_who_leaves" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = aws_autoscaling_group.this.protect_from_scale_in
    error_message = "New instances must be protected from scale-in."
  }

  assert {
    condition     = contains(aws_autoscaling_group.this.suspended_processes, "AZRebalance")
    error_message = "Rebalancing ends instances of the group's choosing and must be suspended."
  }

  assert {
    condition     = contains(aws_autoscaling_group.this.enabled_metrics, "GroupInServiceInstances")
    error_message = "The group's metrics must be on."
  }
}

run "holds_a_leaving_instance_for_one_job" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = (aws_autoscaling_lifecycle_hook.drain.name == "weir-drain"
      && aws_autoscaling_lifecycle_hook.drain.lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING"
    && aws_autoscaling_lifecycle_hook.drain.default_result == "CONTINUE")
    error_message = "The terminating hook weir-drain is missing or wrong."
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.drain.heartbeat_timeout == 660
    error_message = "The hook must hold for a job of 600 s and a minute; got ${aws_autoscaling_lifecycle_hook.drain.heartbeat_timeout}."
  }
}

run "keeps_the_hook_within_what_auto_scaling_takes" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    job_timeout_seconds = 43140
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.drain.heartbeat_timeout == 7200
    error_message = "Auto Scaling takes at most 7200 s; got ${aws_autoscaling_lifecycle_hook.drain.heartbeat_timeout}."
  }
}

run "makes_hardened_instances" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = (aws_launch_template.this.metadata_options[0].http_tokens == "required"
    && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1)
    error_message = "Instance metadata must be version 2 only, within one hop."
  }

  assert {
    condition     = aws_launch_template.this.block_device_mappings[0].ebs[0].encrypted == "true" && aws_launch_template.this.block_device_mappings[0].ebs[0].volume_type == "gp3"
    error_message = "The root volume must be encrypted gp3."
  }

  assert {
    condition     = aws_launch_template.this.network_interfaces[0].associate_public_ip_address == "false"
    error_message = "No public address was asked for."
  }

  assert {
    condition     = endswith(aws_launch_template.this.image_id, "-x86_64")
    error_message = "c7i is x86_64; the image is ${aws_launch_template.this.image_id}."
  }
}

run "takes_the_image_of_the_instance_types_architecture" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_type = "c7gn.large"
  }

  assert {
    condition     = endswith(aws_launch_template.this.image_id, "-arm64")
    error_message = "c7gn is arm64; the image is ${aws_launch_template.this.image_id}."
  }
}

run "tells_the_worker_everything" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = alltrue([for line in [
      "AWS_REGION=\"eu-west-1\"",
      "THUMBNAILS_BUCKET=\"photos\"",
      "WEIR_AUTO_SCALING_GROUP=\"thumbnails-workers\"",
      "WEIR_EXEC=\"./thumbnail.sh --quality \\\"80\\\" $HOME\"",
      "WEIR_FLEET=\"thumbnails\"",
      "WEIR_JOBS_TABLE=\"weir-jobs\"",
      "WEIR_JOB_TIMEOUT=\"600s\"",
      "WEIR_LIFECYCLE_HOOK=\"weir-drain\"",
      "WEIR_QUEUE=\"thumbnails\"",
      "WEIR_SLOTS=\"4\"",
      "WEIR_STATE_TABLE=\"weir-state\"",
      "WEIR_VISIBILITY_TIMEOUT=\"61s\"",
    ] : contains(split("\n", base64decode(aws_launch_template.this.user_data)), line)])
    error_message = "The worker's environment is incomplete:\n${base64decode(aws_launch_template.this.user_data)}"
  }

  assert {
    condition     = strcontains(base64decode(aws_launch_template.this.user_data), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    error_message = "The artifact's digest must be checked on the instance."
  }
}

run "leaves_the_workers_defaults_alone_where_nothing_is_said" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    slots        = null
    exec         = null
    boot_seconds = null
  }

  assert {
    condition     = !strcontains(base64decode(aws_launch_template.this.user_data), "WEIR_SLOTS") && !strcontains(base64decode(aws_launch_template.this.user_data), "WEIR_EXEC")
    error_message = "What the policy leaves open must not be set."
  }
}

run "lets_the_worker_touch_only_its_own" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = !anytrue([for s in jsondecode(aws_iam_role_policy.worker.policy).Statement : contains(flatten([s.Resource]), "*")])
    error_message = "The worker's role needs no wildcard resource."
  }

  assert {
    condition = one([for s in jsondecode(aws_iam_role_policy.worker.policy).Statement : s if s.Sid == "Report"]).Condition == {
      "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["reports#thumbnails"] }
    }
    error_message = "A worker may write its own fleet's reports and no other state."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.worker.policy, "TerminateInstance") && !strcontains(aws_iam_role_policy.worker.policy, "SetDesiredCapacity")
    error_message = "Sizing is not the worker's."
  }

  assert {
    condition     = length(aws_iam_role_policy_attachment.handler) == 1
    error_message = "The handler's own policy must be attached."
  }
}

run "refuses_a_digest_that_is_none" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    artifact = { bucket = "artifacts", key = "worker.tar.gz", sha256 = "latest" }
  }

  expect_failures = [var.artifact]
}

run "refuses_a_job_longer_than_sqs_can_hide_it" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    job_timeout_seconds = 43200
  }

  expect_failures = [var.job_timeout_seconds]
}

run "refuses_an_environment_of_several_lines" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    environment = { BANNER = "one\ntwo" }
  }

  expect_failures = [var.environment]
}
