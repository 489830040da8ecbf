# The two tables that Weir's programs share. Keys and the TTL attribute are theirs, not to be
# configured.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  jobs_name  = "${var.name_prefix}-jobs"
  state_name = "${var.name_prefix}-state"

  # Computed from names, so that roles can be written beside the tables.
  arn_prefix = "arn:${data.aws_partition.current.partition}:dynamodb:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:table"
}

# One item a job: who may finish it, and how it ended.
resource "aws_dynamodb_table" "jobs" {
  #checkov:skip=CKV_AWS_119:Encrypted by the AWS managed key, whose use CloudTrail shows and which costs nothing a call
  name                        = local.jobs_name
  billing_mode                = "PAY_PER_REQUEST" # load follows the backlog, from nothing to bursts
  hash_key                    = "job_id"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  dynamic "on_demand_throughput" {
    for_each = var.request_units_max[*]

    content {
      max_read_request_units  = on_demand_throughput.value
      max_write_request_units = on_demand_throughput.value
    }
  }

  attribute {
    name = "job_id"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true            # with KMS, whose use CloudTrail shows
    kms_key_arn = var.kms_key_arn # null: the key that AWS manages
  }
}

# Workers' reports; each fleet's controller lease, history and journal.
resource "aws_dynamodb_table" "state" {
  #checkov:skip=CKV_AWS_119:Encrypted by the AWS managed key, whose use CloudTrail shows and which costs nothing a call
  name                        = local.state_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  dynamic "on_demand_throughput" {
    for_each = var.request_units_max[*]

    content {
      max_read_request_units  = on_demand_throughput.value
      max_write_request_units = on_demand_throughput.value
    }
  }

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
