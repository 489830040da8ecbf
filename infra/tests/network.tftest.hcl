# modules/network: private subnets that reach AWS's services and nothing else.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  cidr                     = "10.79.0.0/16"
  flow_log_days            = null
  kms_key_arn              = null
  more_services            = ["kms"]
  name_prefix              = "weir"
  permissions_boundary_arn = null
  services                 = ["sqs", "ecr.api"]
  tags                     = {}
  zones                    = 2
}

run "spreads_over_the_first_zones" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block } == { "eu-west-1a" = "10.79.0.0/18", "eu-west-1b" = "10.79.64.0/18" }
    error_message = "Got ${jsonencode({ for zone, subnet in aws_subnet.private : zone => subnet.cidr_block })}."
  }
}

run "reaches_the_services_that_are_called" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = join(",", keys(aws_vpc_endpoint.interface)) == "ecr.api,kms,sqs" && join(",", keys(aws_vpc_endpoint.gateway)) == "dynamodb,s3"
    error_message = "Got ${join(",", keys(aws_vpc_endpoint.interface))}."
  }

  assert {
    condition     = aws_vpc_endpoint.interface["sqs"].private_dns_enabled && aws_vpc_endpoint.interface["sqs"].service_name == "com.amazonaws.eu-west-1.sqs"
    error_message = "The SDK's usual names must lead to the endpoints."
  }

  assert {
    condition = alltrue([for endpoint in merge(aws_vpc_endpoint.interface, aws_vpc_endpoint.gateway) :
    jsondecode(endpoint.policy).Statement[0].Condition.StringEquals["aws:ResourceAccount"] == "123456789012"])
    error_message = "An endpoint must let only this account's resources through."
  }
}

run "keeps_no_flow_log_unless_asked" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = length(aws_flow_log.this) == 0 && length(aws_iam_role.flow) == 0
    error_message = "Nobody asked for a flow log."
  }
}

run "keeps_a_flow_log_for_as_long_as_asked" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    flow_log_days            = 365
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/bound"
  }

  assert {
    condition     = aws_cloudwatch_log_group.flow[0].retention_in_days == 365 && aws_flow_log.this[0].traffic_type == "ALL"
    error_message = "The flow log is missing or kept for another time."
  }

  assert {
    condition     = aws_iam_role.flow[0].permissions_boundary == "arn:aws:iam::123456789012:policy/bound"
    error_message = "The boundary must hold the flow log's role as well."
  }
}

run "refuses_a_range_too_small_for_its_subnets" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    cidr = "10.79.0.0/25"
  }

  expect_failures = [var.cidr]
}

run "refuses_four_zones" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    zones = 4
  }

  expect_failures = [var.zones]
}

run "refuses_a_service_that_is_always_there" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    more_services = ["s3"]
  }

  expect_failures = [var.more_services]
}
