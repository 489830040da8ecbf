# Terraform 1.9: a variable's validation may look at other variables and data.
terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# No provider block: this configuration applies as it is, with the region that AWS_REGION or the
# AWS profile names, and serves as a module, with the provider that the caller passes. For other
# settings of the provider, such as assume_role, call it: examples/ shows how.
