# modules/ecs_fleet: a service whose tasks nobody stops while they work.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  cluster  = "workers"
  service  = "thumbnails"
  name     = "thumbnails"
  min_size = 2

  environment   = { WEIR_EXEC = "./thumbnail.sh", WEIR_FLEET = "thumbnails" }
  image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/thumbnails:1.0.0"
  worker_policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"

  name_prefix = "weir"
  policy_arns = ["arn:aws:iam::123456789012:policy/photos"]
  state_table = { name = "weir-state", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-state" }
  subnet_ids  = ["subnet-00000000000000001"]
  tags        = { application = "weir" }
  vpc_id      = "vpc-00000000000000001"
}

run "begins_with_the_min_and_starts_new_workers_beside_old_ones" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  assert {
    condition     = aws_ecs_service.this.desired_count == 2 && aws_ecs_service.this.name == "thumbnails" && aws_ecs_service.this.cluster == "workers"
    error_message = "The service begins at min 2."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_minimum_healthy_percent == 100 && aws_ecs_service.this.deployment_maximum_percent == 200
    error_message = "Protected tasks stay, so new ones need room beside them."
  }

  assert {
    condition     = aws_ecs_service.this.availability_zone_rebalancing == "DISABLED"
    error_message = "Rebalancing stops tasks of its own choosing."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "A worker that does not start must give way."
  }
}

run "runs_on_demand_unless_told_otherwise" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  assert {
    condition     = { for s in aws_ecs_service.this.capacity_provider_strategy : s.capacity_provider => "${s.base}+${s.weight}" } == { FARGATE = "0+100" }
    error_message = "All on demand."
  }
}

run "mixes_spot_in" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    spot = { on_demand_base = 2, on_demand_percentage = 25 }
  }

  assert {
    condition     = jsonencode({ for s in aws_ecs_service.this.capacity_provider_strategy : s.capacity_provider => [s.base, s.weight] }) == jsonencode({ FARGATE = [2, 25], FARGATE_SPOT = [0, 75] })
    error_message = "Two on demand, then a quarter."
  }
}

run "keeps_the_base_on_demand_when_all_beyond_is_spot" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    spot = { on_demand_base = 1 }
  }

  assert {
    condition     = jsonencode({ for s in aws_ecs_service.this.capacity_provider_strategy : s.capacity_provider => [s.base, s.weight] }) == jsonencode({ FARGATE = [1, 0], FARGATE_SPOT = [0, 100] })
    error_message = "One on demand, the rest spot."
  }
}

run "runs_on_spot_alone" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    spot = {}
  }

  assert {
    condition     = jsonencode({ for s in aws_ecs_service.this.capacity_provider_strategy : s.capacity_provider => [s.base, s.weight] }) == jsonencode({ FARGATE_SPOT = [0, 100] })
    error_message = "All on spot."
  }
}

run "tells_the_worker_where_it_is" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  assert {
    condition     = local.environment == { WEIR_ECS_SERVICE = "workers/thumbnails", WEIR_EXEC = "./thumbnail.sh", WEIR_FLEET = "thumbnails", WEIR_LOG_FORMAT = "json" }
    error_message = "Got ${jsonencode(local.environment)}."
  }
}

run "takes_the_architecture_and_size_that_were_asked_for" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    architecture = "arm64"
    cpu          = 2048
    memory       = 8192
  }

  assert {
    condition     = aws_ecs_task_definition.this.runtime_platform[0].cpu_architecture == "ARM64" && aws_ecs_task_definition.this.cpu == "2048" && aws_ecs_task_definition.this.memory == "8192"
    error_message = "Got ${aws_ecs_task_definition.this.cpu} and ${aws_ecs_task_definition.this.memory}."
  }
}

run "lets_the_task_touch_only_its_own" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.task.policy).Statement : s.Sid => jsonencode(s.Condition) } == {
      ProtectItself     = "{\"StringEquals\":{\"aws:ResourceTag/weir:fleet\":\"thumbnails\"}}"
      HearLeaveRequests = "{\"ForAllValues:StringEquals\":{\"dynamodb:LeadingKeys\":[\"leave#thumbnails\"]}}"
    }
    error_message = "Got ${aws_iam_role_policy.task.policy}"
  }

  assert {
    condition     = aws_iam_role_policy.worker.policy == var.worker_policy && length(aws_iam_role_policy_attachment.handler) == 1
    error_message = "The worker's and the handler's own policies must be attached."
  }

  assert {
    condition     = aws_iam_role.task.permissions_boundary == var.permissions_boundary_arn && aws_iam_role.execution.permissions_boundary == var.permissions_boundary_arn
    error_message = "The boundary must be on both roles."
  }
}

run "keeps_the_log_under_the_customers_key" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.name == "/weir/weir-worker-thumbnails"
    error_message = "The log must be under the key."
  }
}

run "is_not_reachable" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip
    error_message = "No public address was asked for."
  }
}

run "refuses_an_architecture_that_fargate_lacks" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    architecture = "i386"
  }

  expect_failures = [var.architecture]
}

run "refuses_a_cpu_that_fargate_lacks" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    cpu = 1000
  }

  expect_failures = [var.cpu]
}

run "refuses_memory_that_does_not_go_with_the_cpu" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    memory = 512
  }

  expect_failures = [var.memory]
}

run "refuses_an_image_without_a_version" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    image = "docker.io/example/worker"
  }

  expect_failures = [var.image]
}

run "refuses_a_min_below_none" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    min_size = -1
  }

  expect_failures = [var.min_size]
}

run "refuses_half_a_task_on_demand" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    spot = { on_demand_base = 0.5 }
  }

  expect_failures = [var.spot]
}

run "refuses_a_share_on_demand_of_all" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  variables {
    spot = { on_demand_percentage = 100 }
  }

  expect_failures = [var.spot]
}

run "runs_a_read_only_image_that_has_two_minutes_to_stop" {
  command = plan

  module {
    source = "./modules/ecs_fleet"
  }

  assert {
    condition = (jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem
      && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].stopTimeout == 120
    && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].mountPoints[0].containerPath == "/tmp")
    error_message = "Got ${aws_ecs_task_definition.this.container_definitions}"
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.execution.policy).Statement : s.Resource[0] if s.Sid == "PullImage"] == [
    "arn:aws:ecr:eu-west-1:123456789012:repository/thumbnails"]
    error_message = "Got ${aws_iam_role_policy.execution.policy}"
  }
}
