# Everything a set of fleets needs: queues, tables, one Auto Scaling group a policy, the controller.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

module "policies" {
  source = "./modules/policies"

  folder = var.policies
}

locals {
  # What is shared, with one fleet's own settings on top. Where one names a handler, or a type, the
  # other kind of the shared settings gives way.
  workers = { for name in keys(module.policies.by_name) : name => merge(
    var.worker,
    try(var.worker_overrides[name].exec, null) == null ? {} : { http = null },
    try(var.worker_overrides[name].http, null) == null ? {} : { exec = null },
    try(var.worker_overrides[name].instance_type, null) == null ? {} : { instance_types = null },
    { for key, value in try(var.worker_overrides[name], {}) : key => value if value != null },
  ) }

  # A policy names an Auto Scaling group or an ECS service.
  ec2_fleets = toset([for name, policy in module.policies.by_name : name if policy.ecs_service == null])
  ecs_fleets = toset([for name, policy in module.policies.by_name : name if policy.ecs_service != null])
}

module "queue" {
  source   = "./modules/queue"
  for_each = module.policies.queues

  name                       = each.key
  visibility_timeout_seconds = each.value.visibility_timeout_seconds
  max_receive_count          = coalesce(each.value.max_receive_count, var.max_receive_count, each.value.max_receive_count_derived)
  message_bytes_max          = var.message_bytes_max
  message_retention_seconds  = var.message_retention_seconds

  content_based_deduplication = contains(var.fifo_content_deduplication, each.key)
  event_rules                 = contains(keys(var.sources), each.key) ? var.sources[each.key].event_rules : {}
  sns_topics                  = contains(keys(var.sources), each.key) ? var.sources[each.key].sns_topics : {}

  kms_data_key_reuse_seconds = var.kms_data_key_reuse_seconds
  kms_key_arn                = var.kms_key_arn
  tags                       = var.tags
}

module "tables" {
  source = "./modules/tables"

  name_prefix         = var.name_prefix
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
  request_units_max   = var.table_request_units_max
  tags                = var.tags
}

module "worker" {
  source   = "./modules/worker"
  for_each = module.policies.by_name

  name                       = each.key
  max_attempts               = each.value.max_attempts
  slots                      = each.value.slots
  visibility_timeout_seconds = each.value.visibility_timeout_seconds
  queues = [for queue in each.value.queues : {
    name            = queue.name
    arn             = module.queue[queue.name].arn
    dead_letter_arn = module.queue[queue.name].dead_letter_arn
    weight          = queue.weight
    priority        = queue.priority
  }]

  environment         = local.workers[each.key].environment
  exec                = local.workers[each.key].exec
  http                = local.workers[each.key].http
  job_timeout_seconds = local.workers[each.key].job_timeout_seconds

  jobs_table     = module.tables.jobs
  kms_key_arn    = var.kms_key_arn
  payload_bucket = local.payload_bucket
  state_table    = module.tables.state
}

module "fleet" {
  source   = "./modules/fleet"
  for_each = { for name in local.ec2_fleets : name => module.policies.by_name[name] }

  name         = each.key
  group_name   = each.value.group
  min_size     = each.value.min_size
  max_size     = each.value.max_size
  boot_seconds = each.value.boot_seconds

  artifact            = local.worker_artifacts[each.key]
  environment         = module.worker[each.key].environment
  job_timeout_seconds = local.workers[each.key].job_timeout_seconds
  memory_max          = local.workers[each.key].memory_max
  settings            = local.workers[each.key].settings
  unit_options        = local.workers[each.key].unit_options
  worker_policy       = module.worker[each.key].policy

  image_id         = local.workers[each.key].image_id
  instance_refresh = local.workers[each.key].instance_refresh ? {} : null
  instance_types   = coalesce(local.workers[each.key].instance_types, [local.workers[each.key].instance_type])
  spot             = local.workers[each.key].spot
  volume_gib       = local.workers[each.key].volume_gib
  warm_pool        = local.workers[each.key].warm_pool

  force_delete             = !var.deletion_protection
  assign_public_ip         = local.assign_public_ip
  kms_key_arn              = var.kms_key_arn
  name_prefix              = var.name_prefix
  permissions_boundary_arn = var.permissions_boundary_arn
  policy_arns              = local.workers[each.key].policy_arns
  subnet_ids               = local.subnet_ids
  tags                     = var.tags
  vpc_id                   = local.vpc_id
}
