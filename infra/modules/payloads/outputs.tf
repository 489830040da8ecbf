output "bucket" {
  description = "The bucket's name and ARN, the objects' prefix, and object_arn, the pattern of the objects' ARNs; known at plan."
  value = {
    name       = local.bucket_name
    arn        = local.bucket_arn
    prefix     = local.prefix
    object_arn = "${local.bucket_arn}/${local.prefix}*"
  }
}
