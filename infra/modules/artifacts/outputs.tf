output "bucket" {
  description = "Name and ARN of the bucket, known at plan."
  value       = { name = local.bucket_name, arn = local.bucket_arn }
}

output "objects" {
  description = "Where each of `files` is, by path: bucket, key, sha256 (64 hex digits). Known at plan; what uses it waits for the upload."
  value = { for path, object in aws_s3_object.file : path => {
    bucket = object.bucket
    key    = object.key
    sha256 = local.files[path].sha256
  } }
}

output "policies" {
  description = "Where the controller finds the policies: bucket, prefix and the url that WEIR_POLICY takes."
  value = {
    bucket = local.bucket_name
    prefix = local.policies_prefix
    url    = "s3://${local.bucket_name}/${local.policies_prefix}"
  }

  # The controller's first round must find them.
  depends_on = [aws_s3_object.policy]
}
