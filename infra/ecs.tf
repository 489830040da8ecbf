# Fleets on Fargate: policies that name an ECS service, CLUSTER/SERVICE, instead of a group.

locals {
  clusters = toset([for name in local.ecs_fleets : module.policies.by_name[name].ecs_service.cluster])
}

# One for all fleets that name it.
resource "aws_ecs_cluster" "workers" {
  #checkov:skip=CKV_AWS_65:Container Insights bills each task's metrics; the worker's own tell more
  for_each = local.clusters

  name = each.key
  tags = var.tags
}

resource "aws_ecs_cluster_capacity_providers" "workers" {
  for_each = local.clusters

  cluster_name       = aws_ecs_cluster.workers[each.key].name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

module "ecs_fleet" {
  source   = "./modules/ecs_fleet"
  for_each = { for name in local.ecs_fleets : name => module.policies.by_name[name] }

  # By way of the capacity providers, without which the service could not use them.
  cluster  = aws_ecs_cluster_capacity_providers.workers[each.value.ecs_service.cluster].cluster_name
  service  = each.value.ecs_service.service
  name     = each.key
  min_size = each.value.min_size

  architecture  = local.workers[each.key].image_architecture
  cpu           = local.workers[each.key].cpu
  environment   = module.worker[each.key].environment
  image         = local.workers[each.key].image
  memory        = local.workers[each.key].memory
  spot          = local.workers[each.key].spot
  worker_policy = module.worker[each.key].policy

  assign_public_ip         = local.assign_public_ip
  kms_key_arn              = var.kms_key_arn
  log_retention_days       = var.log_retention_days
  name_prefix              = var.name_prefix
  permissions_boundary_arn = var.permissions_boundary_arn
  policy_arns              = local.workers[each.key].policy_arns
  state_table              = module.tables.state
  subnet_ids               = local.subnet_ids
  tags                     = var.tags
  vpc_id                   = local.vpc_id
}
