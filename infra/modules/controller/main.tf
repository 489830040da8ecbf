# The controller: rounds for all fleets, every minute, in Lambda, on Fargate or on a host of yours.
#
# What it runs on decides who starts it and who may take its role; what it may do, what it reads
# and where it logs are the same for all three.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  dns_suffix = data.aws_partition.current.dns_suffix
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name
  name       = "${var.name_prefix}-controller"

  in_lambda  = var.runtime == "lambda"
  on_fargate = var.runtime == "ecs"
  on_host    = var.runtime == "systemd"

  # Four rounds an invocation, the last one begun ten seconds before the next minute's. Should two
  # overlap all the same, a lease in the state table lets one act.
  environment = {
    WEIR_EVERY       = "15s"
    WEIR_FOR         = "50s"
    WEIR_LOG_FORMAT  = "json"
    WEIR_POLICY      = var.policies.url
    WEIR_STATE_TABLE = var.state_table.name
  }
}

# One name whatever writes into it, so that a change of runtime keeps the log. A host has its own
# journal.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:Logs hold no messages, only why a fleet has its size; CloudWatch encrypts them by its own key unless one is given
  #checkov:skip=CKV_AWS_338:How long is the user's choice, log_retention_days; the journal in the state table tells the same for 14 days
  count = local.on_host ? 0 : 1

  name              = local.log_group_name
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

locals {
  log_group_name = "/weir/${local.name}"
  log_group_arn  = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group_name}"
}
