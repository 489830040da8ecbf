# The least there is to say: a region, a folder of policies, what workers run. All else is default:
# the default VPC, AWS's keys, one fleet a policy.

provider "aws" {
  region = var.region
}

module "weir" {
  source = "../../"

  policies            = "${path.module}/../../../policies"
  controller_artifact = var.controller_artifact
  worker              = var.worker
  deletion_protection = var.deletion_protection
}
