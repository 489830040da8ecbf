# Where workers and controller run: in subnets that are given, in a network made here, or in the
# default VPC.

locals {
  makes_network = var.network != null
  default_vpc   = length(var.subnet_ids) == 0 && !local.makes_network

  vpc_id = one(concat(
    module.network[*].vpc_id,
    data.aws_vpc.default[*].id,
    data.aws_subnet.given[*].vpc_id,
  ))
  subnet_ids = local.makes_network ? module.network[0].subnet_ids : local.default_vpc ? sort(data.aws_subnets.default[0].ids) : var.subnet_ids

  # The default VPC has an internet gateway and no NAT: without an address of its own nothing
  # there reaches AWS.
  assign_public_ip = coalesce(var.assign_public_ip, local.default_vpc)

  # What security groups let out to. Null: HTTPS to anywhere, for AWS's endpoints have no fixed
  # addresses; in a network made here, to its endpoints and no further.
  egress = one(module.network[*].egress)
}

module "network" {
  source = "./modules/network"
  count  = local.makes_network ? 1 : 0

  cidr                     = var.network.cidr
  flow_log_days            = var.network.flow_log_days
  kms_key_arn              = var.kms_key_arn
  more_services            = var.network.services
  name_prefix              = var.name_prefix
  permissions_boundary_arn = var.permissions_boundary_arn
  services                 = local.called_services
  tags                     = var.tags
  zones                    = var.network.zones
}

locals {
  # By the last part of the endpoint's name. The worker calls SQS and Auto Scaling, the controller
  # these, EC2 and CloudWatch; what runs in ECS fetches its image from ECR and writes its log.
  called_services = ["autoscaling", "ec2", "ecr.api", "ecr.dkr", "ecs", "logs", "monitoring", "sqs"]
}

data "aws_vpc" "default" {
  count = local.default_vpc ? 1 : 0

  default = true
}

data "aws_subnets" "default" {
  count = local.default_vpc ? 1 : 0

  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default[0].id]
  }

  # One a zone: others that somebody added may be cut off.
  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

data "aws_subnet" "given" {
  count = length(var.subnet_ids) == 0 ? 0 : 1

  id = var.subnet_ids[0]
}
