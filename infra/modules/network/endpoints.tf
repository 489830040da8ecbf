# The ways out: AWS's services alone, and of those the ones that are called.

locals {
  # S3 and DynamoDB are reached through routes, free of charge.
  gateways = toset(["dynamodb", "s3"])

  # The rest through an address in each subnet, paid by the hour and address.
  interfaces = toset(concat(var.services, var.more_services))

  service_prefix = "com.amazonaws.${data.aws_region.current.name}"
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateways

  vpc_id            = aws_vpc.this.id
  vpc_endpoint_type = "Gateway"
  service_name      = "${local.service_prefix}.${each.key}"
  route_table_ids   = [aws_route_table.private.id]
  policy            = local.endpoint_policies[each.key]
  tags              = merge(var.tags, { Name = "${var.name_prefix}-${each.key}" })
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interfaces

  vpc_id              = aws_vpc.this.id
  vpc_endpoint_type   = "Interface"
  service_name        = "${local.service_prefix}.${each.key}"
  subnet_ids          = [for zone in local.zones : aws_subnet.private[zone].id]
  security_group_ids  = [aws_security_group.endpoints.id]
  private_dns_enabled = true # the SDK's usual names lead here
  policy              = local.account_policy
  tags                = merge(var.tags, { Name = "${var.name_prefix}-${each.key}" })
}

resource "aws_security_group" "endpoints" {
  name_prefix = "${var.name_prefix}-endpoints-"
  description = "AWS endpoints: HTTPS in from this network, nothing out"
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "${var.name_prefix}-endpoints" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from this network"
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

# An endpoint's policy bounds what may pass it, whatever role a caller holds: this account's
# principals and resources. A stolen key of another account carries nothing out through here.
locals {
  own_account = { StringEquals = {
    "aws:PrincipalAccount" = data.aws_caller_identity.current.account_id
    "aws:ResourceAccount"  = data.aws_caller_identity.current.account_id
  } }

  account_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OwnAccountAlone"
      Effect    = "Allow"
      Principal = "*" # the conditions say whose
      Action    = "*" # what a caller may do is its role's business
      Resource  = "*" # the conditions say whose
      Condition = local.own_account
    }]
  })

  # What these two keep in buckets of AWS's own accounts: packages of Amazon Linux, the layers of
  # images in ECR, what Systems Manager's agent fetches. Read, and nothing else.
  foreign_buckets = [
    "al2023-repos-${data.aws_region.current.name}-de612dc2",
    "prod-${data.aws_region.current.name}-starport-layer-bucket",
  ]

  endpoint_policies = {
    dynamodb = local.account_policy
    s3 = jsonencode({
      Version = "2012-10-17"
      Statement = concat(jsondecode(local.account_policy).Statement, [{
        Sid       = "ReadPackagesAndLayers"
        Effect    = "Allow"
        Principal = "*" # whoever is in this network
        Action    = "s3:GetObject"
        Resource  = [for bucket in local.foreign_buckets : "arn:${data.aws_partition.current.partition}:s3:::${bucket}/*"]
      }])
    })
  }
}
