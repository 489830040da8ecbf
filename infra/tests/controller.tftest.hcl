# modules/controller: a round every minute, with no more rights than a round needs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  architecture       = "ARM64"
  assign_public_ip   = true
  enabled            = true
  image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tools/weir:0.1.0"
  log_retention_days = 30
  name_prefix        = "weir"
  state_table        = { name = "weir-state", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-state" }
  subnet_ids         = ["subnet-00000000000000001"]
  vpc_id             = "vpc-00000000000000001"

  fleets = {
    mails = {
      policy     = "name: mails\n"
      actuate    = "desired_capacity"
      queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:mails"]
      group_arn  = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/mail-workers"
    }
    videos = {
      policy     = "name: videos\n"
      actuate    = "target_tracking"
      queue_arns = ["arn:aws:sqs:eu-west-1:123456789012:videos"]
      group_arn  = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/video-workers"
    }
  }
}

run "runs_each_fleet_every_minute" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition     = join(",", keys(aws_scheduler_schedule.fleet)) == "mails,videos"
    error_message = "One schedule a fleet."
  }

  assert {
    condition = alltrue([for s in aws_scheduler_schedule.fleet : (
      s.schedule_expression == "rate(1 minute)" && s.state == "ENABLED" && s.flexible_time_window[0].mode == "OFF"
      && s.target[0].retry_policy[0].maximum_retry_attempts == 0
    )])
    error_message = "A schedule is not every minute, is off, or repeats what is late."
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
    condition     = alltrue([for s in aws_scheduler_schedule.fleet : s.state == "DISABLED"])
    error_message = "enabled = false must stop every schedule."
  }
}

run "hands_each_task_its_own_policy" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition = alltrue([for name, task in aws_ecs_task_definition.fleet : contains(
      jsondecode(task.container_definitions)[0].environment,
      { name = "WEIR_POLICY_YAML", value = "name: ${name}\n" },
    )])
    error_message = "A task does not have its fleet's policy text."
  }

  assert {
    condition     = alltrue([for task in aws_ecs_task_definition.fleet : slice(reverse(jsondecode(task.container_definitions)[0].command), 0, 5) == ["55s", "--for", "15s", "--every", "run"]])
    error_message = "A task must make rounds every 15 s for 55 s."
  }
}

run "has_no_more_rights_than_a_round_needs" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition = alltrue([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement :
    contains(["ReadFleets", "PublishMetrics"], s.Sid) || !contains(flatten([s.Resource]), "*")])
    error_message = "Only reading and publishing may have a wildcard: their actions know no resources."
  }

  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "PublishMetrics"]).Condition.StringEquals["cloudwatch:namespace"] == "Weir/Fleet"
    error_message = "Metrics may go to Weir/Fleet alone."
  }

  assert {
    condition = one([for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s if s.Sid == "SetTargets"]).Resource == [
    "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/video-workers"]
    error_message = "Scaling policies may be put only on groups whose policy says target_tracking."
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.controller.policy).Statement : s.Sid => join(" ", s.Condition["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]) if contains(flatten([s.Resource]), var.state_table.arn) } == {
      KeepState    = "controller#mails controller#videos"
      WriteJournal = "journal#mails journal#videos"
      ReadReports  = "reports#mails reports#videos"
    }
    error_message = "The controller reads reports and writes its own state and journal, and no more."
  }
}

run "pulls_its_image_and_no_other" {
  command = plan

  module {
    source = "./modules/controller"
  }

  assert {
    condition     = local.ecr == { account = "123456789012", region = "eu-west-1", repository = "tools/weir" }
    error_message = "The repository was read as ${jsonencode(local.ecr)}."
  }
}

run "needs_no_registry_rights_for_a_public_image" {
  command = plan

  module {
    source = "./modules/controller"
  }

  variables {
    image = "docker.io/example/weir:0.1.0"
  }

  assert {
    condition     = local.ecr == null
    error_message = "An image outside ECR needs no ECR permission."
  }
}
