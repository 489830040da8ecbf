# The root with fleets on EC2 and on Fargate side by side.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  policies            = "./tests/fixtures/services"
  controller_artifact = { bucket = "artifacts", key = "weir/weir-lambda.zip", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  worker = {
    artifact = {
      bucket = "artifacts"
      key    = "weir/worker.tar.gz"
      sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/worker:0.1.0"
  }
}

run "makes_a_service_where_the_policy_names_one" {
  command = plan

  assert {
    condition     = jsonencode(output.ecs_services) == "{\"videos\":\"media/videos\"}" && jsonencode(output.auto_scaling_groups) == "{\"mails\":\"mail-workers\"}"
    error_message = "Got ${jsonencode(output.ecs_services)} and ${jsonencode(output.auto_scaling_groups)}."
  }

  assert {
    condition     = join(",", keys(aws_ecs_cluster.workers)) == "media"
    error_message = "A cluster is made once: ${join(",", keys(aws_ecs_cluster.workers))}."
  }

  assert {
    condition     = module.worker["videos"].environment.WEIR_QUEUE == "videos,weight=500;urgent,weight=1000,priority=0"
    error_message = "Got ${module.worker["videos"].environment.WEIR_QUEUE}."
  }
}

run "refuses_a_fleet_on_ecs_without_an_image" {
  command = plan

  variables {
    worker = {
      artifact = {
        bucket = "artifacts"
        key    = "weir/worker.tar.gz"
        sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
      }
    }
    worker_overrides = {}
  }

  expect_failures = [var.worker_overrides]
}

run "refuses_a_settings_file_where_there_is_no_instance" {
  command = plan

  variables {
    worker_overrides = { videos = { settings = "poll_wait: 5s" } }
  }

  expect_failures = [var.worker_overrides]
}
