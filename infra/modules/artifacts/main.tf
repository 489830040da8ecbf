# The bucket that programs and policies reach AWS through: what an instance or a function runs, and
# the policies the controller reads.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # Unique among all accounts and regions; known before the bucket exists, so that roles can be
  # written beside it.
  bucket_name = "${var.name_prefix}-artifacts-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.name}"
  bucket_arn  = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket_name}"

  # Every policy is an object directly below this, NAME.yaml; the controller reads all of them.
  policies_prefix = "policies/"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV2_AWS_62:Nobody has to hear of its objects: the programs know their keys
  #checkov:skip=CKV_AWS_18:A log of accesses would need a bucket of its own; CloudTrail's data events tell the same where they are on
  #checkov:skip=CKV_AWS_144:Whatever is in it is uploaded again by an apply
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

# No object has an owner or rights of its own: the account owns all, policies say who may do what.
resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# The controller falls back to a policy's last good version, so versions are kept.
resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
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

  rule {
    id     = "expire-old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days           = var.noncurrent_days
      newer_noncurrent_versions = local.noncurrent_versions_min
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # What expires is versions: there must be some first.
  depends_on = [aws_s3_bucket_versioning.this]
}

locals {
  # However old, this many versions stay: a policy that was last good a year ago is still one to
  # fall back to.
  noncurrent_versions_min = 10
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
