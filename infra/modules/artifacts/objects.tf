# What is in the bucket: the programs' files by digest, the policies by name.

locals {
  # A key that holds the digest never changes what it means: an instance that boots while a new
  # version is applied gets what its template was written for.
  files = { for path in var.files : path => {
    key    = "artifacts/${filesha256(path)}/${basename(path)}"
    sha256 = filesha256(path)
  } }
}

resource "aws_s3_object" "file" {
  for_each = local.files

  bucket      = aws_s3_bucket.this.bucket
  key         = each.value.key
  source      = each.key
  source_hash = each.value.sha256
  tags        = var.tags

  # What still runs from the old object goes on until the new one is in its place.
  lifecycle {
    create_before_destroy = true
  }

  # Nothing is stored before it is versioned, encrypted and private.
  depends_on = [
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

resource "aws_s3_object" "policy" {
  for_each = var.policies

  bucket       = aws_s3_bucket.this.bucket
  key          = "${local.policies_prefix}${each.key}.yaml"
  content      = each.value
  content_type = "application/yaml"
  source_hash  = sha256(each.value)
  tags         = var.tags

  depends_on = [
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
