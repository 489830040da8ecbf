# Everything a set of fleets needs: queues, tables, one Auto Scaling group a policy, the controller.

module "policies" {
  source = "./modules/policies"

  folder = var.policies
}

locals {
  # What is shared, with one fleet's own settings on top.
  workers = { for name in keys(module.policies.by_name) : name => merge(
    var.worker,
    { for key, value in try(var.worker_overrides[name], {}) : key => value if value != null },
  ) }
}

module "queue" {
  source   = "./modules/queue"
  for_each = module.policies.queues

  name                       = each.key
  visibility_timeout_seconds = each.value
  max_receive_count          = var.max_receive_count
  message_retention_seconds  = var.message_retention_seconds
}

module "tables" {
  source = "./modules/tables"

  name_prefix         = var.name_prefix
  deletion_protection = var.deletion_protection
}

module "fleet" {
  source   = "./modules/fleet"
  for_each = module.policies.by_name

  name                       = each.key
  group_name                 = each.value.group
  min_size                   = each.value.min_size
  max_size                   = each.value.max_size
  boot_seconds               = each.value.boot_seconds
  slots                      = each.value.slots
  visibility_timeout_seconds = each.value.visibility_timeout_seconds
  queues = [for queue in each.value.queues : {
    name            = queue
    arn             = module.queue[queue].arn
    dead_letter_arn = module.queue[queue].dead_letter_arn
  }]

  artifact            = local.workers[each.key].artifact
  environment         = local.workers[each.key].environment
  exec                = local.workers[each.key].exec
  image_id            = local.workers[each.key].image_id
  instance_type       = local.workers[each.key].instance_type
  job_timeout_seconds = local.workers[each.key].job_timeout_seconds
  policy_arns         = local.workers[each.key].policy_arns
  volume_gib          = local.workers[each.key].volume_gib

  assign_public_ip = local.assign_public_ip
  jobs_table       = module.tables.jobs
  name_prefix      = var.name_prefix
  state_table      = module.tables.state
  subnet_ids       = local.subnet_ids
  tags             = var.tags
  vpc_id           = local.vpc_id
}

module "controller" {
  source = "./modules/controller"

  fleets = { for name, policy in module.policies.by_name : name => {
    policy     = policy.text
    actuate    = policy.actuate
    queue_arns = [for queue in policy.queues : module.queue[queue].arn]
    group_arn  = module.fleet[name].group_arn
  } }

  architecture       = var.controller_architecture
  assign_public_ip   = local.assign_public_ip
  enabled            = var.controller_enabled
  image              = var.controller_image
  log_retention_days = var.log_retention_days
  name_prefix        = var.name_prefix
  state_table        = module.tables.state
  subnet_ids         = local.subnet_ids
  vpc_id             = local.vpc_id
}
