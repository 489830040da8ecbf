# What a person sees of the fleets, and what wakes one: a dashboard, alarms, where they are sent.
#
# What the controller publishes is in the namespace Weir/Fleet, a dimension Fleet, four times a
# minute; everything else is AWS's own. An alarm says what it means and what to do.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name

  namespace = "Weir/Fleet"

  in_lambda  = var.controller.function_name != null
  on_fargate = !local.in_lambda && var.controller.schedule_group_name != null

  # Where to look, for the texts of alarms.
  log = var.controller.log_group_name == null ? "the host's journal (journalctl -u weir)" : "the log group ${var.controller.log_group_name}"
}
