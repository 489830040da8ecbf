# Finds the network; makes none.

locals {
  default_vpc = length(var.subnet_ids) == 0
  vpc_id      = local.default_vpc ? data.aws_vpc.default[0].id : data.aws_subnet.given[0].vpc_id
  subnet_ids  = local.default_vpc ? sort(data.aws_subnets.default[0].ids) : var.subnet_ids

  # The default VPC has an internet gateway and no NAT: without an address of its own nothing
  # there reaches AWS.
  assign_public_ip = coalesce(var.assign_public_ip, local.default_vpc)
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
  count = local.default_vpc ? 0 : 1

  id = var.subnet_ids[0]
}
