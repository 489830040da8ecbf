# A network of its own without a way to the internet: private subnets, and endpoints to the AWS
# services that Weir's programs call.

data "aws_availability_zones" "here" {
  #checkov:skip=CKV_AWS_394:Only the first network.zones of the sorted names are used; a new zone sorts last
  state = "available"

  # Local Zones and Wavelength Zones have neither all instance types nor endpoints.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  zones = slice(sort(data.aws_availability_zones.here.names), 0, min(var.zones, length(data.aws_availability_zones.here.names)))

  # Four equal parts of the range, the first for the first zone: a zone more later moves none.
  subnets = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 2, index) }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # without them the endpoints' own names are not resolved
  tags                 = merge(var.tags, { Name = var.name_prefix })

  lifecycle {
    precondition {
      condition     = length(data.aws_availability_zones.here.names) >= var.zones
      error_message = "network.zones is ${var.zones}, but ${data.aws_region.current.name} has ${length(data.aws_availability_zones.here.names)} zones open to this account."
    }
  }
}

resource "aws_subnet" "private" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = merge(var.tags, { Name = "${var.name_prefix}-${each.key}" })
}

# One table for all: nothing leads out of it but what the gateway endpoints add.
resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = var.name_prefix })
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# The security group that every VPC is born with lets its members talk to each other and to the
# world. Nothing here is in it; emptied, nothing that lands in it by mistake gets anywhere.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name_prefix}-unused" })
}
