# modules/controller: what runs is what was given by digest, or the apply fails.

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

run "takes_the_code_that_was_given" {
  command = apply

  module {
    source = "./modules/controller"
  }

  override_data {
    target = data.aws_lambda_function.this
    values = { code_sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" } # of nothing, as in `variables`
  }

  assert {
    condition     = aws_scheduler_schedule.this[0].target[0].arn == aws_lambda_function.this[0].arn
    error_message = "The schedule must invoke the function."
  }
}

# The function is there by now, and is found to run something else.
run "refuses_code_that_is_another" {
  command = plan

  module {
    source = "./modules/controller"
  }

  override_data {
    target = data.aws_lambda_function.this
    values = { code_sha256 = "bm90IHdoYXQgd2FzIGdpdmVuLCBidXQgc29tZXRoaW5nIGVsc2U=" }
  }

  expect_failures = [data.aws_lambda_function.this]
}
