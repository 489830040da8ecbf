# modules/payloads: bodies that no message can hold, gone when no message can speak of them any more.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  bucket_name   = null
  expire_days   = 30
  force_destroy = false
  kms_key_arn   = null
  name_prefix   = "weir"
  tags          = {}
}

run "expires_bodies_under_the_programs_prefix" {
  command = plan

  module {
    source = "./modules/payloads"
  }

  assert {
    condition = anytrue([for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
    rule.filter[0].prefix == "weir-payloads/" && rule.expiration[0].days == 30 if rule.id == "expire-payloads"])
    error_message = "Bodies below weir-payloads/ must go after 30 days."
  }

  assert {
    condition = output.bucket == {
      name       = "weir-payloads-123456789012-eu-west-1"
      arn        = "arn:aws:s3:::weir-payloads-123456789012-eu-west-1"
      prefix     = "weir-payloads/"
      object_arn = "arn:aws:s3:::weir-payloads-123456789012-eu-west-1/weir-payloads/*"
    }
    error_message = "Names must be known at plan; got ${jsonencode(output.bucket)}."
  }
}

run "takes_a_name" {
  command = plan

  module {
    source = "./modules/payloads"
  }

  variables {
    bucket_name = "our-bodies"
  }

  assert {
    condition     = aws_s3_bucket.this.bucket == "our-bodies"
    error_message = "Got ${aws_s3_bucket.this.bucket}."
  }
}

run "refuses_to_lose_the_body_of_a_dead_letter" {
  command = plan

  module {
    source = "./modules/payloads"
  }

  variables {
    expire_days = 27
  }

  expect_failures = [var.expire_days]
}
