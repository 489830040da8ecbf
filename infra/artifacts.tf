# What programs run from, and what they are told by: artifacts and policies in one bucket.

locals {
  # A file on this machine is uploaded once, however many fleets use it.
  artifact_paths = toset([for artifact in concat([for worker in local.workers : worker.artifact], [var.controller_artifact]) :
    artifact.path if try(artifact.path, null) != null
  ])

  # By fleet, where the worker's artifact is in S3: bucket, key, sha256. Null: it has none.
  worker_artifacts = { for name, worker in local.workers :
    name => try(module.artifacts.objects[worker.artifact.path], worker.artifact)
  }

  # The same of the controller's.
  controller_artifact = try(module.artifacts.objects[var.controller_artifact.path], var.controller_artifact)
}

module "artifacts" {
  source = "./modules/artifacts"

  files           = local.artifact_paths
  force_destroy   = coalesce(var.artifact_bucket.force_destroy, !var.deletion_protection)
  kms_key_arn     = var.kms_key_arn
  name_prefix     = var.name_prefix
  noncurrent_days = var.artifact_bucket.noncurrent_days
  policies        = { for name, policy in module.policies.by_name : name => policy.text }
  tags            = var.tags
}

module "payloads" {
  source = "./modules/payloads"
  count  = var.payload_bucket == null ? 0 : 1

  bucket_name   = var.payload_bucket.name
  expire_days   = var.payload_bucket.expire_days
  force_destroy = coalesce(var.payload_bucket.force_destroy, !var.deletion_protection)
  kms_key_arn   = var.kms_key_arn
  name_prefix   = var.name_prefix
  tags          = var.tags
}

locals {
  # Null where there is none: name, arn, prefix, object_arn.
  payload_bucket = one(module.payloads[*].bucket)
}
