# Stands for the VPC that is there before Weir comes: private subnets, endpoints, no way to the
# internet.

module "network" {
  source = "../../modules/network"

  cidr                     = "10.20.0.0/16"
  flow_log_days            = 365
  kms_key_arn              = aws_kms_key.this.arn
  more_services            = ["kms", "sns"]
  name_prefix              = "shared"
  permissions_boundary_arn = null
  services                 = ["autoscaling", "ec2", "ecr.api", "ecr.dkr", "ecs", "logs", "monitoring", "sqs"]
  tags                     = local.tags
  zones                    = 2
}
