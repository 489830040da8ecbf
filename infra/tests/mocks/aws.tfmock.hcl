# What AWS would answer at plan, so that plans need neither network nor credentials.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_data "aws_region" {
  defaults = { name = "eu-west-1" }
}

mock_data "aws_vpc" {
  defaults = { id = "vpc-00000000000000001" }
}

mock_data "aws_subnets" {
  defaults = { ids = ["subnet-00000000000000002", "subnet-00000000000000001"] }
}

mock_data "aws_subnet" {
  defaults = { vpc_id = "vpc-00000000000000002" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["eu-west-1c", "eu-west-1a", "eu-west-1b"] }
}
