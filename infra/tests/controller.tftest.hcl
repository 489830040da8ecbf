# modules/controller: a round every minute on any of three runtimes, with no more rights than a
# round needs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  artifact    = { bucket = "artifacts", key = "weir-lambda.zip", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  policies    = { bucket = "artifacts", prefix = "policies/", url = "s3://artifacts/policies/" }
  state_table = { name = "weir-state", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-state" }
  image       = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tools/weir:0.1.0"
  subnet_ids  = ["subnet-00000000000000001"]
  vpc_id      = "vpc-00000000000000001"

  fleets = {
    mails = {
      actuate    = "desired_capacity"
      queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:mails"]
      group_arn  = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/mail-workers"
    }
    sounds = {
      actuate     = "desired_capacity"
      queue_arns  = ["arn:aws:sqs:eu-west-1:123456789012:sounds"]
      ecs_service = { cluster = "media", service = "sound-workers" }
    }
    videos = {
      actuate    = "target_tracking"
      queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:videos"]
      group_arn  = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/video-workers"
    }
  }
}

################################################################################
# Lambda
################################################################################

run "runs_as_a_function_every_minute" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition = (
      aws_lambda_function.this[0].function_name == "weir-controller" && aws_lambda_function.this[0].runtime == "provided.al2023"
      && aws_lambda_function.this[0].handler == "bootstrap" && join(",", aws_lambda_function.this[0].architectures) == "x86_64"
      && aws_lambda_function.this[0].memory_size == 128 && aws_lambda_function.this[0].timeout == 60
      && aws_lambda_function.this[0].reserved_concurrent_executions == 1
      && aws_lambda_function.this[0].tracing_config[0].mode == "PassThrough"
    )
    error_message = "The function must be the bootstrap on Amazon Linux 2023: 128 MB, 60 s, one at a time, untraced."
  }

  assert {
    condition = (
      aws_scheduler_schedule.this[0].schedule_expression == "rate(1 minute)" && aws_scheduler_schedule.this[0].state == "ENABLED"
      && aws_scheduler_schedule.this[0].flexible_time_window[0].mode == "OFF"
    )
    error_message = "The schedule must be on, and every minute on the minute."
  }

  assert {
    condition     = length(aws_ecs_cluster.this) + length(aws_ecs_task_definition.this) + length(aws_security_group.controller) + length(aws_iam_role.execution) + length(aws_iam_instance_profile.controller) == 0
    error_message = "A function needs neither cluster nor instance."
  }
}

run "tries_nothing_late_again_and_keeps_why" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition     = aws_scheduler_schedule.this[0].target[0].retry_policy[0].maximum_retry_attempts == 0 && aws_scheduler_schedule.this[0].target[0].retry_policy[0].maximum_event_age_in_seconds == 60
    error_message = "The scheduler must not repeat what is late."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this[0].maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.this[0].maximum_event_age_in_seconds == 60
    error_message = "Lambda must not repeat what is late."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters[0].name == "weir-controller-dlq" && aws_sqs_queue.dead_letters[0].sqs_managed_sse_enabled && jsondecode(aws_sqs_queue.dead_letters[0].policy).Statement[0].Effect == "Deny"
    error_message = "Failed starts go to an encrypted queue that refuses plain HTTP."
  }
}

run "tells_every_runtime_the_same" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition = aws_lambda_function.this[0].environment[0].variables == tomap({
      WEIR_EVERY       = "15s"
      WEIR_FOR         = "50s"
      WEIR_LOG_FORMAT  = "json"
      WEIR_POLICY      = "s3://artifacts/policies/"
      WEIR_STATE_TABLE = "weir-state"
    })
    error_message = "The function's environment is ${jsonencode(aws_lambda_function.this[0].environment[0].variables)}."
  }
}

run "knows_the_code_by_its_digest" {
  command = plan

  module {
    source = "./modules/controller"
  }

  # The digest of nothing, as in `variables`, in the form that Lambda uses.
  assert {
    condition     = aws_lambda_function.this[0].source_code_hash == base64sha256("")
    error_message = "In Base64 the digest is ${base64sha256("")}, not ${aws_lambda_function.this[0].source_code_hash}."
  }

  assert {
    condition     = aws_lambda_function.this[0].s3_bucket == "artifacts" && aws_lambda_function.this[0].s3_key == "weir-lambda.zip"
    error_message = "The code must come from where the artifact is."
  }
}

run "runs_on_graviton" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    architecture = "arm64"
  }

  assert {
    condition     = join(",", aws_lambda_function.this[0].architectures) == "arm64"
    error_message = "architecture must reach the function."
  }
}

run "traces_when_asked" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    tracing = true
  }

  assert {
    condition     = aws_lambda_function.this[0].tracing_config[0].mode == "Active" && contains([for s in jsondecode(aws_iam_role_policy.lambda[0].policy).Statement : s.Sid], "Trace")
    error_message = "Tracing needs its mode and its permission."
  }
}

run "reserves_nothing_in_a_small_account" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    reserved_concurrency = -1
  }

  assert {
    condition     = aws_lambda_function.this[0].reserved_concurrent_executions == -1
    error_message = "-1 must reserve nothing."
  }
}

run "logs_as_json_into_a_group_that_forgets" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    log_retention_days = 90
  }

  assert {
    condition     = aws_lambda_function.this[0].logging_config[0].log_format == "JSON" && aws_lambda_function.this[0].logging_config[0].log_group == "/weir/weir-controller"
    error_message = "The function must log as JSON, into the group made for it."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this[0].name == "/weir/weir-controller" && aws_cloudwatch_log_group.this[0].retention_in_days == 90
    error_message = "The log group must keep what log_retention_days says."
  }
}

run "pauses_when_told" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    enabled = false
  }

  assert {
    condition     = aws_scheduler_schedule.this[0].state == "DISABLED"
    error_message = "enabled = false must stop the schedule."
  }
}

################################################################################
# ECS
################################################################################

run "runs_one_task_for_all_fleets" {
  command = apply

  module {
    source = "./modules/controller"
  }

  variables {
    architecture     = "arm64"
    assign_public_ip = true
    runtime          = "ecs"
  }

  assert {
    condition     = length(aws_ecs_task_definition.this) == 1 && aws_ecs_task_definition.this[0].runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "One task serves all fleets, on the given architecture."
  }

  assert {
    condition = { for pair in jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].environment : pair.name => pair.value } == {
      AWS_REGION       = "eu-west-1"
      WEIR_EVERY       = "15s"
      WEIR_FOR         = "50s"
      WEIR_LOG_FORMAT  = "json"
      WEIR_POLICY      = "s3://artifacts/policies/"
      WEIR_STATE_TABLE = "weir-state"
    }
    error_message = "The task's environment is ${aws_ecs_task_definition.this[0].container_definitions}."
  }

  assert {
    condition     = join(" ", jsondecode(aws_ecs_task_definition.this[0].container_definitions)[0].command) == "run"
    error_message = "The task must run."
  }

  assert {
    condition = (
      aws_scheduler_schedule.this[0].target[0].arn == aws_ecs_cluster.this[0].arn
      && aws_scheduler_schedule.this[0].target[0].ecs_parameters[0].task_definition_arn == aws_ecs_task_definition.this[0].arn
      && aws_scheduler_schedule.this[0].target[0].ecs_parameters[0].network_configuration[0].assign_public_ip
      && join(",", aws_scheduler_schedule.this[0].target[0].ecs_parameters[0].network_configuration[0].subnets) == "subnet-00000000000000001"
    )
    error_message = "The schedule must start the task in the given subnets."
  }

  assert {
    condition     = length(aws_lambda_function.this) + length(aws_lambda_function_event_invoke_config.this) + length(aws_iam_role_policy.lambda) == 0
    error_message = "A task needs no function."
  }

  assert {
    condition     = { for s in jsondecode(aws_iam_role_policy.scheduler[0].policy).Statement : s.Sid => join(" ", s.Action) } == { RunTasks = "ecs:RunTask", HandOverRoles = "iam:PassRole", TellFailures = "sqs:SendMessage" }
    error_message = "The scheduler may run the tasks and say what failed: ${aws_iam_role_policy.scheduler[0].policy}"
  }
}

run "reaches_endpoints_alone_in_a_closed_network" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    egress  = { security_group_id = "sg-00000000000000001", prefix_list_ids = { dynamodb = "pl-00000001", s3 = "pl-00000002" } }
    runtime = "ecs"
  }

  assert {
    condition = (
      length(aws_vpc_security_group_egress_rule.https) == 0
      && aws_vpc_security_group_egress_rule.endpoints[0].referenced_security_group_id == "sg-00000000000000001"
      && { for service, rule in aws_vpc_security_group_egress_rule.gateways : service => rule.prefix_list_id } == { dynamodb = "pl-00000001", s3 = "pl-00000002" }
    )
    error_message = "In a network without a way out, tasks may reach its endpoints and no further."
  }
}

run "pulls_its_image_and_no_other" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    runtime = "ecs"
  }

  assert {
    condition     = local.ecr == { account = "123456789012", region = "eu-west-1", repository = "tools/weir" }
    error_message = "The repository was read as ${jsonencode(local.ecr)}."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.execution[0].policy).Statement : s.Resource if s.Sid == "PullImage"]) == ["arn:aws:ecr:eu-west-1:123456789012:repository/tools/weir"]
    error_message = "ECS may pull from the image's repository alone."
  }
}

run "needs_no_registry_rights_for_a_public_image" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    image   = "docker.io/example/weir:0.1.0"
    runtime = "ecs"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.execution[0].policy).Statement : s.Sid] == ["WriteLog"]
    error_message = "An image outside ECR needs no ECR permission."
  }
}

################################################################################
# A host with systemd
################################################################################

run "makes_no_compute_for_a_host" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    artifact = null
    runtime  = "systemd"
  }

  assert {
    condition     = length(aws_lambda_function.this) + length(aws_ecs_cluster.this) + length(aws_scheduler_schedule.this) + length(aws_sqs_queue.dead_letters) + length(aws_cloudwatch_log_group.this) + length(aws_iam_role.scheduler) == 0
    error_message = "A host brings its own compute, timer and log."
  }

  assert {
    condition     = length(aws_iam_instance_profile.controller) == 1 && jsondecode(aws_iam_role.controller.assume_role_policy).Statement[0].Principal.Service == "ec2.amazonaws.com"
    error_message = "A host in EC2 takes the role by an instance profile."
  }

  assert {
    condition     = join(",", keys(output.units)) == "weir.env,weir.service,weir.timer"
    error_message = "The units are ${join(", ", keys(output.units))}."
  }

  assert {
    condition = toset([for line in split("\n", output.units["weir.env"]) : line if line != "" && !startswith(line, "#")]) == toset([
      "AWS_REGION=\"eu-west-1\"",
      "WEIR_EVERY=\"15s\"",
      "WEIR_FOR=\"50s\"",
      "WEIR_LOG_FORMAT=\"json\"",
      "WEIR_POLICY=\"s3://artifacts/policies/\"",
      "WEIR_STATE_TABLE=\"weir-state\"",
    ])
    error_message = "weir.env is:\n${output.units["weir.env"]}"
  }

  assert {
    condition = alltrue([for line in ["Type=oneshot", "ExecStart=/usr/bin/weir run --every 15s --for 50s", "NoNewPrivileges=yes", "ProtectSystem=strict"] :
    contains(split("\n", output.units["weir.service"]), line)])
    error_message = "weir.service is:\n${output.units["weir.service"]}"
  }

  assert {
    condition     = contains(split("\n", output.units["weir.timer"]), "OnCalendar=minutely")
    error_message = "weir.timer is:\n${output.units["weir.timer"]}"
  }
}

################################################################################
# Rights
################################################################################

run "has_no_more_rights_than_a_round_needs" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s.Sid => join(" ", s.Action) } == {
      AskTasksToLeave = "dynamodb:PutItem dynamodb:Query"
      KeepState       = "dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem"
      ListPolicies    = "s3:ListBucket s3:ListBucketVersions"
      ListTasks       = "ecs:ListTasks"
      PublishMetrics  = "cloudwatch:PutMetricData"
      ReadAges        = "cloudwatch:GetMetricData"
      ReadGroups      = "autoscaling:DescribeAutoScalingGroups ec2:DescribeInstances autoscaling:DescribePolicies"
      ReadPolicies    = "s3:GetObject s3:GetObjectVersion"
      ReadQueues      = "sqs:GetQueueAttributes sqs:GetQueueUrl"
      ReadReports     = "dynamodb:Query"
      ReadServices    = "ecs:DescribeServices"
      ReadTasks       = "ecs:DescribeTasks"
      SetTargets      = "autoscaling:PutScalingPolicy"
      SizeGroups      = "autoscaling:SetDesiredCapacity autoscaling:TerminateInstanceInAutoScalingGroup"
      SizeServices    = "ecs:UpdateService"
      WriteJournal    = "dynamodb:PutItem"
    }
    error_message = "The controller may: ${aws_iam_role_policy.controller.policy}"
  }

  assert {
    condition = toset([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s.Sid if contains(flatten([s.Resource]), "*")]) == toset([
    "ListTasks", "PublishMetrics", "ReadAges", "ReadGroups"])
    error_message = "Only listing, reading and publishing may have a wildcard: their actions know no resources."
  }

  assert {
    condition     = output.policy == aws_iam_role_policy.controller.policy
    error_message = "What a host elsewhere is to be allowed must be what the role allows."
  }
}

run "acts_on_its_own_fleets_alone" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "SizeGroups"]).Resource == [
      "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/mail-workers",
    "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/video-workers"]
    error_message = "Sizes may be set on the fleets' groups alone."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "SizeGroups"]).Condition.StringEquals["aws:ResourceTag/weir:fleet"] == ["mails", "videos"]
    error_message = "Instances may be ended only in groups that carry a fleet's tag."
  }

  assert {
    condition = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "SetTargets"]).Resource == [
    "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/video-workers"]
    error_message = "Scaling policies may be put only on groups whose policy says target_tracking."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s.Sid => join(" ", s.Resource) if contains(["ReadServices", "ReadTasks", "SizeServices"], s.Sid) } == {
      ReadServices = "arn:aws:ecs:eu-west-1:123456789012:service/media/sound-workers"
      ReadTasks    = "arn:aws:ecs:eu-west-1:123456789012:task/media/*"
      SizeServices = "arn:aws:ecs:eu-west-1:123456789012:service/media/sound-workers"
    }
    error_message = "Of ECS, the fleets' services alone."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "ListTasks"]).Condition.ArnEquals["ecs:cluster"] == ["arn:aws:ecs:eu-west-1:123456789012:cluster/media"]
    error_message = "Tasks may be listed in the fleets' clusters alone."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "PublishMetrics"]).Condition.StringEquals["cloudwatch:namespace"] == "Weir/Fleet"
    error_message = "Metrics may go to Weir/Fleet alone."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s.Sid => join(" ", s.Condition["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]) if contains(flatten([s.Resource]), var.state_table.arn) } == {
      AskTasksToLeave = "leave#sounds"
      KeepState       = "controller#mails controller#sounds controller#videos"
      ReadReports     = "reports#mails reports#sounds reports#videos"
      WriteJournal    = "journal#mails journal#sounds journal#videos"
    }
    error_message = "The controller reads reports and writes its own state, journal and requests to leave, and no more."
  }

  assert {
    condition = (
      one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "ReadPolicies"]).Resource == ["arn:aws:s3:::artifacts/policies/*"]
      && one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "ListPolicies"]).Resource == ["arn:aws:s3:::artifacts"]
      && one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "ListPolicies"]).Condition.StringLike["s3:prefix"] == "policies/*"
    )
    error_message = "Of the bucket, the policies alone."
  }
}

run "asks_for_nothing_that_its_fleets_do_not_need" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    fleets = {
      mails = {
        actuate    = "desired_capacity"
        queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:mails"]
        group_arn  = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/mail-workers"
      }
    }
  }

  assert {
    condition = length(setintersection(flatten([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s.Action]), [
    "autoscaling:DescribePolicies", "autoscaling:PutScalingPolicy", "ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListTasks", "ecs:UpdateService", "kms:Decrypt"])) == 0
    error_message = "Neither ECS, nor target tracking, nor a key is used: ${aws_iam_role_policy.controller.policy}"
  }
}

run "needs_nothing_of_ec2_for_services_alone" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    fleets = {
      sounds = {
        actuate     = "desired_capacity"
        queue_arns  = ["arn:aws:sqs:eu-west-1:123456789012:sounds"]
        ecs_service = { cluster = "media", service = "sound-workers" }
      }
    }
  }

  assert {
    condition     = length([for action in flatten([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s.Action]) : action if startswith(action, "autoscaling:") || startswith(action, "ec2:")]) == 0
    error_message = "Where all fleets are ECS services, groups and instances are none of its business."
  }
}

run "gives_the_runtime_what_it_needs_and_no_more" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.lambda[0].policy).Statement : s.Sid => "${join(" ", s.Action)} on ${join(" ", s.Resource)}" } == {
      TellFailures = "sqs:SendMessage on arn:aws:sqs:eu-west-1:123456789012:weir-controller-dlq"
      WriteLog     = "logs:CreateLogStream logs:PutLogEvents on arn:aws:logs:eu-west-1:123456789012:log-group:/weir/weir-controller:*"
    }
    error_message = "Lambda may, with the function's role: ${aws_iam_role_policy.lambda[0].policy}"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.scheduler[0].policy).Statement : s.Sid => "${join(" ", s.Action)} on ${join(" ", s.Resource)}" } == {
      Invoke       = "lambda:InvokeFunction on arn:aws:lambda:eu-west-1:123456789012:function:weir-controller"
      TellFailures = "sqs:SendMessage on arn:aws:sqs:eu-west-1:123456789012:weir-controller-dlq"
    }
    error_message = "The scheduler may: ${aws_iam_role_policy.scheduler[0].policy}"
  }

  assert {
    condition = alltrue([for role in [aws_iam_role.controller, aws_iam_role.scheduler[0]] :
    jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"])
    error_message = "A service may take a role on behalf of this account alone."
  }
}

run "encrypts_with_the_customers_key" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition = alltrue([for key in [
      aws_cloudwatch_log_group.this[0].kms_key_id, aws_lambda_function.this[0].kms_key_arn,
      aws_scheduler_schedule.this[0].kms_key_arn, aws_sqs_queue.dead_letters[0].kms_master_key_id,
    ] : key == var.kms_key_arn])
    error_message = "The key must reach log, variables, schedule and queue."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : join(" ", s.Action) if s.Sid == "ReadEncrypted"]) == "kms:Decrypt"
    error_message = "The controller must be able to read what is encrypted."
  }

  assert {
    condition = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "ReadEncrypted"]).Condition.StringEquals["kms:ViaService"] == [
    "dynamodb.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com", "lambda.eu-west-1.amazonaws.com"]
    error_message = "The key may be used through the services that hold data, and not directly."
  }

  assert {
    condition     = alltrue([for policy in [aws_iam_role_policy.lambda[0].policy, aws_iam_role_policy.scheduler[0].policy] : contains([for s in jsondecode(policy).Statement : s.Sid], "EncryptFailures")])
    error_message = "Who sends to the queue under the key must be able to encrypt."
  }
}

run "bounds_every_role" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/bounds"
  }

  assert {
    condition     = alltrue([for role in [aws_iam_role.controller, aws_iam_role.scheduler[0]] : role.permissions_boundary == "arn:aws:iam::123456789012:policy/bounds"])
    error_message = "The boundary must reach every role."
  }
}

run "bounds_the_role_that_ecs_takes" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/bounds"
    runtime                  = "ecs"
  }

  assert {
    condition     = aws_iam_role.execution[0].permissions_boundary == "arn:aws:iam::123456789012:policy/bounds"
    error_message = "The boundary must reach every role."
  }
}

run "says_when_there_are_too_many_fleets_for_one_role" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    fleets = { for n in range(60) : "fleet-${n}" => {
      actuate    = "desired_capacity"
      queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:queue-${n}"]
      group_arn  = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/group-${n}"
    } }
  }

  expect_failures = [aws_iam_role_policy.controller]
}

################################################################################
# What is refused
################################################################################

run "refuses_a_runtime_that_is_none" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    runtime = "fargate"
  }

  expect_failures = [var.runtime]
}

run "refuses_a_function_without_code" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    artifact = null
  }

  expect_failures = [var.artifact]
}

run "refuses_a_digest_that_is_none" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    artifact = { bucket = "artifacts", key = "weir-lambda.zip", sha256 = "47DEQpj8HBSa" }
  }

  expect_failures = [var.artifact]
}

run "refuses_a_task_without_image_or_subnets" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    image      = null
    runtime    = "ecs"
    subnet_ids = []
  }

  expect_failures = [var.image, var.subnet_ids]
}

run "refuses_a_fleet_of_both_kinds_or_of_none" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    fleets = {
      neither = { actuate = "desired_capacity", queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:mails"] }
    }
  }

  expect_failures = [var.fleets]
}

run "refuses_an_architecture_that_is_none" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    architecture = "X86_64"
  }

  expect_failures = [var.architecture]
}

run "refuses_a_concurrency_that_shuts_it_off" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    reserved_concurrency = 0
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_a_key_by_its_alias" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    kms_key_arn = "alias/weir"
  }

  expect_failures = [var.kms_key_arn]
}
