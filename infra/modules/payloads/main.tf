# The bucket for bodies that no message can hold: a producer puts one there, the message names it,
# the worker fetches it and deletes it when the job is done.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  bucket_name = coalesce(var.bucket_name, "${var.name_prefix}-payloads-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.name}")
  bucket_arn  = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket_name}"

  # The programs' own: every body they store is below this.
  prefix = "weir-payloads/"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV2_AWS_62:Nobody has to hear of its objects: the programs know their keys
  #checkov:skip=CKV_AWS_18:A log of accesses would need a bucket of its own; CloudTrail's data events tell the same where they are on
  #checkov:skip=CKV_AWS_144:A body lives as long as its message, which is in one region as well
  #checkov:skip=CKV_AWS_21:Every body has a key of its own and is never replaced; a version that outlives its deletion would only cost
  bucket        = local.bucket_name
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket = aws_s3_bucket.this.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null # one call to KMS for many objects

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  # The worker deletes a body with its job; what is left belongs to messages that are gone.
  rule {
    id     = "expire-payloads"
    status = "Enabled"

    filter {
      prefix = local.prefix
    }

    expiration {
      days = var.expire_days
    }
  }

  rule {
    id     = "abort-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefusePlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*" # every action: none may travel unencrypted
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # Both are changes to who may do what, and S3 refuses two at a time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
