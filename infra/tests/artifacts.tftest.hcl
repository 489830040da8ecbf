# modules/artifacts: what programs run from, versioned and private, under keys that hold digests.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  files           = ["./tests/fixtures/fleets/full.yaml"]
  force_destroy   = false
  kms_key_arn     = null
  name_prefix     = "weir"
  noncurrent_days = 90
  policies        = { videos = "version: 1\n" }
  tags            = { application = "weir" }
}

run "is_versioned_private_and_encrypted" {
  command = plan

  module {
    source = "./modules/artifacts"
  }

  assert {
    condition     = aws_s3_bucket.this.bucket == "weir-artifacts-123456789012-eu-west-1" && aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket is misnamed or keeps no versions."
  }

  assert {
    condition = (aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy
    && aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets)
    error_message = "Nothing in it may be public."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Without a key, S3's own."
  }
}

run "uses_the_customers_key_when_given" {
  command = plan

  module {
    source = "./modules/artifacts"
  }

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1"
    error_message = "The key did not reach the bucket."
  }
}

run "stores_a_file_under_its_digest" {
  command = plan

  module {
    source = "./modules/artifacts"
  }

  assert {
    condition = output.objects["./tests/fixtures/fleets/full.yaml"] == {
      bucket = "weir-artifacts-123456789012-eu-west-1"
      key    = "artifacts/${filesha256("./tests/fixtures/fleets/full.yaml")}/full.yaml"
      sha256 = filesha256("./tests/fixtures/fleets/full.yaml")
    }
    error_message = "Where it is must be known at plan; got ${jsonencode(output.objects)}."
  }
}

run "stores_a_policy_under_its_name" {
  command = plan

  module {
    source = "./modules/artifacts"
  }

  assert {
    condition     = aws_s3_object.policy["videos"].key == "policies/videos.yaml" && aws_s3_object.policy["videos"].content == "version: 1\n"
    error_message = "The controller reads policies/NAME.yaml; got ${aws_s3_object.policy["videos"].key}."
  }

  assert {
    condition     = output.policies.url == "s3://weir-artifacts-123456789012-eu-west-1/policies/"
    error_message = "Got ${output.policies.url}."
  }
}

run "refuses_to_forget_versions_at_once" {
  command = plan

  module {
    source = "./modules/artifacts"
  }

  variables {
    noncurrent_days = 0
  }

  expect_failures = [var.noncurrent_days]
}
