# runtime = "systemd": nothing is started here. A host of yours runs the units, which the .deb
# brings; on EC2 it takes the role by the instance profile, elsewhere it needs credentials that
# allow what the output `policy` says.

resource "aws_iam_instance_profile" "controller" {
  count = local.on_host ? 1 : 0

  name_prefix = substr("${local.name}-", 0, 38)
  role        = aws_iam_role.controller.name
  tags        = var.tags
}

locals {
  units = {
    "weir.service" = file("${path.module}/templates/weir.service")
    "weir.timer"   = file("${path.module}/templates/weir.timer")
    "weir.env" = templatefile("${path.module}/templates/weir.env.tftpl", {
      environment = merge(local.environment, { AWS_REGION = local.region })
    })
  }
}
