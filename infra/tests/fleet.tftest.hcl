# modules/fleet: the group that never ends a busy worker by itself, and what its instances are.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name         = "thumbnails"
  group_name   = "thumbnails-workers"
  min_size     = 0
  max_size     = 40
  boot_seconds = 90.5

  artifact = {
    bucket = "artifacts"
    key    = "weir/worker.tar.gz"
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }
  environment         = { WEIR_EXEC = "./thumbnail.sh --quality \"80\" $HOME", WEIR_FLEET = "thumbnails" }
  job_timeout_seconds = 600
  worker_policy       = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"

  instance_types = ["c7i.large"]

  name_prefix = "weir"
  policy_arns = ["arn:aws:iam::123456789012:policy/photos"]
  subnet_ids  = ["subnet-00000000000000001"]
  tags        = { application = "weir" }
  vpc_id      = "vpc-00000000000000001"
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
    condition = (aws_autoscaling_lifecycle_hook.this["weir-drain"].lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING"
    && aws_autoscaling_lifecycle_hook.this["weir-drain"].default_result == "CONTINUE")
    error_message = "The terminating hook weir-drain is missing or wrong."
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["weir-drain"].heartbeat_timeout == 660
    error_message = "The hook must hold for a job of 600 s and a minute; got ${aws_autoscaling_lifecycle_hook.this["weir-drain"].heartbeat_timeout}."
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
    condition     = aws_autoscaling_lifecycle_hook.this["weir-drain"].heartbeat_timeout == 7200
    error_message = "Auto Scaling takes at most 7200 s; got ${aws_autoscaling_lifecycle_hook.this["weir-drain"].heartbeat_timeout}."
  }
}

run "replaces_an_instance_whose_worker_does_not_get_ready" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = (aws_autoscaling_lifecycle_hook.this["weir-boot"].lifecycle_transition == "autoscaling:EC2_INSTANCE_LAUNCHING"
    && aws_autoscaling_lifecycle_hook.this["weir-boot"].default_result == "ABANDON")
    error_message = "The launching hook weir-boot is missing or wrong."
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout == 272 && local.start_seconds == 242
    error_message = "Three times a boot of 90.5 s, and half a minute less for the worker; got ${aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout} and ${local.start_seconds}."
  }

  assert {
    condition = ({ for hook in aws_autoscaling_group.this.initial_lifecycle_hook : hook.name => [hook.lifecycle_transition, hook.heartbeat_timeout, hook.default_result] }
    == { for name, hook in aws_autoscaling_lifecycle_hook.this : name => [hook.lifecycle_transition, hook.heartbeat_timeout, hook.default_result] })
    error_message = "The first instances must meet the same hooks as those after them."
  }
}

run "waits_ten_minutes_for_a_boot_that_nobody_guessed" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    boot_seconds = null
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout == 600
    error_message = "Without a guess 600 s; got ${aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout}."
  }
}

run "waits_a_minute_for_the_fastest_boot" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    boot_seconds = 5
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout == 60 && local.start_seconds == 30
    error_message = "At least 60 s; got ${aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout}."
  }
}

run "waits_half_an_hour_for_the_slowest_boot" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    boot_seconds = 3600
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout == 1800
    error_message = "At most 1800 s; got ${aws_autoscaling_lifecycle_hook.this["weir-boot"].heartbeat_timeout}."
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
    instance_types = ["c7gn.large", "a1.large", "im4gn.large", "x2gd.large"]
  }

  assert {
    condition     = endswith(aws_launch_template.this.image_id, "-arm64")
    error_message = "All of these are arm64; the image is ${aws_launch_template.this.image_id}."
  }
}

run "takes_no_graphics_for_graviton" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = ["g4dn.xlarge", "g6.xlarge"]
  }

  assert {
    condition     = endswith(aws_launch_template.this.image_id, "-x86_64")
    error_message = "g4dn and g6 are x86_64; the image is ${aws_launch_template.this.image_id}."
  }
}

run "refuses_types_of_two_architectures" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = ["c7i.large", "c7g.large"]
  }

  expect_failures = [aws_launch_template.this]
}

run "encrypts_with_the_customers_key" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
  }

  assert {
    condition     = aws_launch_template.this.block_device_mappings[0].ebs[0].kms_key_id == var.kms_key_arn
    error_message = "The volume must be under the key."
  }

  assert {
    condition = one([for s in jsondecode(aws_iam_role_policy.instance.policy).Statement : s if s.Sid == "ReadTheArtifact"]).Condition == {
      StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" }
    }
    error_message = "The key opens the artifact, through S3 only: ${aws_iam_role_policy.instance.policy}"
  }
}

run "tags_instances_and_volumes" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = (jsonencode({ for spec in aws_launch_template.this.tag_specifications : spec.resource_type => spec.tags })
    == jsonencode({ for type in ["instance", "volume"] : type => { application = "weir", Name = "thumbnails-workers", "weir:fleet" = "thumbnails" } }))
    error_message = "Instances and volumes carry the fleet: ${jsonencode(aws_launch_template.this.tag_specifications)}."
  }
}

run "is_a_plain_group_for_one_type_on_demand" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = length(aws_autoscaling_group.this.launch_template) == 1 && length(aws_autoscaling_group.this.mixed_instances_policy) == 0 && !aws_autoscaling_group.this.capacity_rebalance
    error_message = "One type on demand needs no mixed instances policy."
  }
}

run "takes_several_types_in_their_order" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = ["c7i.large", "c6i.large", "m7i.large"]
  }

  assert {
    condition     = [for o in aws_autoscaling_group.this.mixed_instances_policy[0].launch_template[0].override : o.instance_type] == ["c7i.large", "c6i.large", "m7i.large"]
    error_message = "The types must be tried in their order."
  }

  assert {
    condition     = alltrue([for o in aws_autoscaling_group.this.mixed_instances_policy[0].launch_template[0].override : o.weighted_capacity == null])
    error_message = "A weight would make the group count units where the controller counts instances."
  }

  assert {
    condition = (aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 100
      && aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_allocation_strategy == "prioritized"
    && !aws_autoscaling_group.this.capacity_rebalance && length(aws_autoscaling_group.this.launch_template) == 0)
    error_message = "Without spot all are on demand."
  }
}

run "mixes_spot_in" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = ["c7i.large", "c6i.large"]
    spot           = { on_demand_base = 2, on_demand_percentage = 25 }
  }

  assert {
    condition = (aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_base_capacity == 2
      && aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 25
    && aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].spot_allocation_strategy == "price-capacity-optimized")
    error_message = "Two on demand, then a quarter."
  }

  assert {
    condition     = aws_autoscaling_group.this.capacity_rebalance
    error_message = "A worker drains on a rebalance recommendation; its instance must be replaced."
  }
}

run "mixes_spot_in_with_a_single_type" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    spot = { allocation_strategy = "capacity-optimized-prioritized" }
  }

  assert {
    condition     = aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].spot_allocation_strategy == "capacity-optimized-prioritized"
    error_message = "The strategy that was asked for must be taken."
  }
}

run "keeps_a_warm_pool_that_nothing_returns_to" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    warm_pool = { state = "Hibernated", min_size = 2, max_prepared = 5 }
  }

  assert {
    condition = (aws_autoscaling_group.this.warm_pool[0].pool_state == "Hibernated" && aws_autoscaling_group.this.warm_pool[0].min_size == 2
    && aws_autoscaling_group.this.warm_pool[0].max_group_prepared_capacity == 5 && !aws_autoscaling_group.this.warm_pool[0].instance_reuse_policy[0].reuse_on_scale_in)
    error_message = "The pool must be as asked: ${jsonencode(aws_autoscaling_group.this.warm_pool)}."
  }

  assert {
    condition     = aws_launch_template.this.hibernation_options[0].configured
    error_message = "An instance that is to hibernate must be launched so."
  }
}

run "does_not_hibernate_unless_asked" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    warm_pool = {}
  }

  assert {
    condition     = aws_autoscaling_group.this.warm_pool[0].pool_state == "Stopped" && length(aws_launch_template.this.hibernation_options) == 0
    error_message = "A pool is of stopped instances unless it says otherwise."
  }
}

run "refuses_a_warm_pool_of_spot" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    spot      = {}
    warm_pool = {}
  }

  expect_failures = [aws_autoscaling_group.this]
}

run "replaces_protected_instances_when_the_worker_changes" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = (aws_autoscaling_group.this.instance_refresh[0].preferences[0].scale_in_protected_instances == "Refresh"
      && aws_autoscaling_group.this.instance_refresh[0].preferences[0].min_healthy_percentage == 90
    && aws_autoscaling_group.this.instance_refresh[0].preferences[0].skip_matching)
    error_message = "All instances are protected: only Refresh replaces them."
  }

  assert {
    condition     = aws_autoscaling_group.this.instance_refresh[0].preferences[0].max_healthy_percentage == null
    error_message = "New instances before old ones would take the fleet beyond its max."
  }
}

run "refreshes_nothing_when_told_not_to" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_refresh = null
  }

  assert {
    condition     = length(aws_autoscaling_group.this.instance_refresh) == 0
    error_message = "No refresh was asked for."
  }
}

run "tells_the_worker_where_it_is" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    settings = "queues: [thumbnails]\npoll_wait: 5s\n"
  }

  assert {
    condition = alltrue([for line in [
      "WEIR_AUTO_SCALING_GROUP=\"thumbnails-workers\"",
      "WEIR_CONFIG=\"/etc/weir/worker.yaml\"",
      "WEIR_EXEC=\"./thumbnail.sh --quality \\\"80\\\" $HOME\"",
      "WEIR_FLEET=\"thumbnails\"",
      "WEIR_LIFECYCLE_HOOK=\"weir-drain\"",
      "WEIR_LISTEN=\"127.0.0.1:9464\"",
    ] : contains(split("\n", local.files["/etc/weir/worker.env"].text), line)])
    error_message = "The worker's environment is incomplete:\n${local.files["/etc/weir/worker.env"].text}"
  }

  assert {
    condition     = local.files["/etc/weir/worker.yaml"].text == var.settings && strcontains(base64decode(aws_launch_template.this.user_data), "poll_wait: 5s")
    error_message = "The settings must reach the instance."
  }
}

run "tells_the_boot_script_what_to_install_and_whom_to_answer" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition = local.files["/etc/weir/boot.env"].text == join("\n", [
      "AWS_REGION=\"eu-west-1\"",
      "WEIR_ARTIFACT_SHA256=\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
      "WEIR_ARTIFACT_URL=\"s3://artifacts/weir/worker.tar.gz\"",
      "WEIR_AUTO_SCALING_GROUP=\"thumbnails-workers\"",
      "WEIR_BOOT_HOOK=\"weir-boot\"",
      "WEIR_BOOT_SECONDS=\"242\"",
      "WEIR_DRAIN_HOOK=\"weir-drain\"",
    ])
    error_message = "Got:\n${local.files["/etc/weir/boot.env"].text}"
  }

  assert {
    condition     = !contains(keys(local.files), "/etc/weir/worker.yaml") && !strcontains(base64decode(aws_launch_template.this.user_data), "WEIR_CONFIG")
    error_message = "No settings were given, so no file is named."
  }
}

run "lets_a_handler_have_what_the_unit_denies" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    memory_max   = "3G"
    unit_options = ["PrivateDevices=no"]
  }

  assert {
    condition     = contains(split("\n", local.unit), "MemoryMax=3G") && try(regex("PrivateDevices=yes[\\s\\S]*PrivateDevices=no", local.unit), null) != null
    error_message = "The handler's lines come last, so that they count:\n${local.unit}"
  }
}

run "limits_no_memory_when_told_so" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    memory_max = null
  }

  assert {
    condition     = !strcontains(local.unit, "MemoryMax")
    error_message = "No limit was asked for."
  }
}

run "lets_the_instance_touch_only_its_own" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.instance.policy).Statement : s.Sid => s.Resource } == {
      AnswerHooks = ["arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/thumbnails-workers"]
      Install     = ["arn:aws:s3:::artifacts/weir/worker.tar.gz"]
    }
    error_message = "Got ${aws_iam_role_policy.instance.policy}"
  }

  assert {
    condition     = aws_iam_role_policy.worker.policy == var.worker_policy && length(aws_iam_role_policy_attachment.handler) == 1
    error_message = "The worker's and the handler's own policies must be attached."
  }

  assert {
    condition     = aws_iam_role.worker.permissions_boundary == var.permissions_boundary_arn
    error_message = "The boundary must be the role's."
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

run "refuses_an_artifact_that_is_no_archive" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    artifact = { bucket = "artifacts", key = "weir-worker", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }

  expect_failures = [var.artifact]
}

run "refuses_a_max_below_the_min" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    max_size = -1
  }

  expect_failures = [var.max_size]
}

run "refuses_a_min_below_none" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    min_size = -1
  }

  expect_failures = [var.min_size]
}

run "refuses_an_image_that_is_none" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    image_id = "al2023"
  }

  expect_failures = [var.image_id]
}

run "refuses_no_instance_type" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = []
  }

  expect_failures = [var.instance_types]
}

run "refuses_an_instance_type_that_is_none" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = ["large"]
  }

  expect_failures = [var.instance_types]
}

run "refuses_an_instance_type_twice" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_types = ["c7i.large", "c7i.large"]
  }

  expect_failures = [var.instance_types]
}

run "refuses_a_share_on_demand_of_all" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    spot = { on_demand_percentage = 100 }
  }

  expect_failures = [var.spot]
}

run "refuses_half_an_instance_on_demand" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    spot = { on_demand_base = 0.5 }
  }

  expect_failures = [var.spot]
}

run "refuses_the_cheapest_spot_pools" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    spot = { allocation_strategy = "lowest-price" }
  }

  expect_failures = [var.spot]
}

run "refuses_a_volume_below_the_images" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    volume_gib = 7
  }

  expect_failures = [var.volume_gib]
}

run "refuses_a_warm_pool_of_another_state" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    warm_pool = { state = "Warm" }
  }

  expect_failures = [var.warm_pool]
}

run "refuses_a_warm_pool_of_less_than_none" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    warm_pool = { min_size = -1 }
  }

  expect_failures = [var.warm_pool]
}

run "refuses_to_prepare_less_than_none" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    warm_pool = { max_prepared = -2 }
  }

  expect_failures = [var.warm_pool]
}

run "refuses_a_refresh_beyond_all" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    instance_refresh = { min_healthy_percentage = 101 }
  }

  expect_failures = [var.instance_refresh]
}

run "refuses_a_memory_limit_without_a_unit_that_systemd_knows" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    memory_max = "3 GiB"
  }

  expect_failures = [var.memory_max]
}

run "refuses_settings_that_are_no_yaml" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    settings = "slots: ["
  }

  expect_failures = [var.settings]
}

run "refuses_settings_that_end_the_file_early" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    settings = "slots: 4\nWEIR_END\nrm: x"
  }

  expect_failures = [var.settings]
}

run "refuses_a_unit_option_of_two_lines" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    unit_options = ["PrivateDevices=no\nExecStartPre=/bin/sh"]
  }

  expect_failures = [var.unit_options]
}

run "refuses_more_user_data_than_ec2_takes" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    settings = format("note: %016400d", 0)
  }

  expect_failures = [aws_launch_template.this]
}

run "goes_with_its_instances_only_where_it_may" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  variables {
    force_delete = true
  }

  assert {
    condition     = aws_autoscaling_group.this.force_delete && aws_autoscaling_group.this.force_delete_warm_pool
    error_message = "Protected instances would keep the group from being deleted for ever."
  }
}

run "waits_for_its_instances_otherwise" {
  command = plan

  module {
    source = "./modules/fleet"
  }

  assert {
    condition     = !aws_autoscaling_group.this.force_delete && !aws_autoscaling_group.this.force_delete_warm_pool
    error_message = "A group must not take working instances with it unasked."
  }
}
