# The controller, and what is seen of it and of the fleets.

module "controller" {
  source = "./modules/controller"

  runtime              = var.controller_runtime
  architecture         = var.architecture
  artifact             = var.controller_runtime == "lambda" ? local.controller_artifact : null
  enabled              = var.controller_enabled
  image                = var.controller_image
  reserved_concurrency = var.controller_reserved_concurrency
  tracing              = var.controller_tracing

  assign_public_ip = local.assign_public_ip
  egress           = local.egress
  subnet_ids       = local.subnet_ids
  vpc_id           = local.vpc_id

  fleets = { for name, policy in module.policies.by_name : name => {
    actuate     = policy.actuate
    queue_arns  = [for queue in policy.queues : module.queue[queue.name].arn]
    group_arn   = contains(local.ec2_fleets, name) ? module.fleet[name].group_arn : null
    ecs_service = policy.ecs_service
  } }
  policies    = module.artifacts.policies
  state_table = module.tables.state

  kms_key_arn              = var.kms_key_arn
  log_retention_days       = var.log_retention_days
  name_prefix              = var.name_prefix
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}

module "observability" {
  source = "./modules/observability"

  controller = {
    name                = module.controller.name
    enabled             = var.controller_enabled
    function_name       = module.controller.function_name
    schedule_group_name = module.controller.schedule_group_name
    log_group_name      = module.controller.log_group_name
  }
  dead_letter_queues = { for name, queue in module.queue : name => queue.dead_letter_name }
  fleets = { for name, policy in module.policies.by_name : name => {
    queues               = [for queue in policy.queues : queue.name]
    group_name           = policy.group
    ecs_service          = try("${policy.ecs_service.cluster}/${policy.ecs_service.service}", null)
    start_within_seconds = policy.start_within_seconds
    job_seconds_max      = local.workers[name].job_timeout_seconds
    has_budget           = policy.has_budget
    instance_hour_price  = lookup(var.instance_hour_prices, name, null)
  } }

  alarm_email      = var.alarm_email
  alarm_topic_arns = var.alarm_topic_arns
  kms_key_arn      = var.kms_key_arn
  late_minutes     = var.alarm_late_minutes
  name_prefix      = var.name_prefix
  tags             = var.tags
}
