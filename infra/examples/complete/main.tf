# Everything that may be asked for, in one deployment: a fleet of several queues on spot instances, one
# of a FIFO queue with a warm pool, one on Fargate; a key of the customer's; a VPC that was there before.

provider "aws" {
  region = var.region
}

module "weir" {
  source = "../../"

  name_prefix = "weir"
  policies    = "${path.module}/policies"
  tags        = local.tags

  kms_key_arn = local.key_arn
  subnet_ids  = module.network.subnet_ids

  controller_artifact = var.controller_artifact
  deletion_protection = var.deletion_protection
  worker              = var.worker
  worker_overrides = {
    media   = { instance_types = ["c7i.large", "c6i.large", "m7i.large"], spot = { on_demand_base = 1 } }
    orders  = { warm_pool = { min_size = 1 } }
    reports = { image = var.worker_image }
  }

  fifo_content_deduplication = ["orders.fifo"]
  payload_bucket             = {}
  table_request_units_max    = 4000

  sources = {
    media = { sns_topics = { uploads = aws_sns_topic.uploads.arn } }
    reports = { event_rules = { nightly = {
      schedule = "cron(0 2 * * ? *)"
      input    = jsonencode({ report = "daily" })
    } } }
  }
}

locals {
  tags = { application = "weir", example = "complete" }
}

# Where the service of the policy `reports` runs.
resource "aws_ecs_cluster" "workers" {
  name = "weir-workers"
  tags = local.tags

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "workers" {
  cluster_name       = aws_ecs_cluster.workers.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_sns_topic" "uploads" {
  name              = "uploads"
  kms_master_key_id = aws_kms_key.this.arn
  tags              = local.tags
}
