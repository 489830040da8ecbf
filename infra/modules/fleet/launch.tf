# What an instance is made of.

locals {
  # The first one is the template's; a mixed group's overrides take its place.
  instance_type = var.instance_types[0]

  # Graviton types carry a g after the generation: c7g, m6gd, t4g, im4gn. The first had none: a1.
  architectures = distinct([for type in var.instance_types : can(regex("^([a-z]+[0-9]+g[a-z]*|a1)[.]", type)) ? "arm64" : "x86_64"])

  image_id = coalesce(var.image_id,
  "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${local.architectures[0]}")
}

resource "aws_launch_template" "this" {
  name                   = "${var.name_prefix}-${var.name}"
  description            = "Weir workers of the fleet ${var.name}"
  image_id               = local.image_id
  instance_type          = local.instance_type
  update_default_version = true
  user_data              = base64encode(local.user_data)
  tags                   = local.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.worker.arn
  }

  # Version 2 only, and no hop beyond the instance: what a handler can be tricked into fetching,
  # or a container on it, must not give away the role.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda" # the root device of Amazon Linux

    ebs {
      volume_type           = "gp3"
      volume_size           = var.volume_gib
      encrypted             = true
      kms_key_id            = var.kms_key_arn # its policy must let AWSServiceRoleForAutoScaling use it
      delete_on_termination = true
    }
  }

  network_interfaces {
    associate_public_ip_address = var.assign_public_ip
    delete_on_termination       = true
    security_groups             = [aws_security_group.worker.id]
  }

  # A hibernated instance keeps its memory on the root volume.
  dynamic "hibernation_options" {
    for_each = try(var.warm_pool.state, null) == "Hibernated" ? [true] : []

    content {
      configured = true
    }
  }

  # The group tags instances as well, but not their volumes.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = local.instance_tags
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.architectures) == 1
      error_message = "instance_types of the fleet ${var.name} are ${join(", ", var.instance_types)}: both arm64 and x86_64. One artifact runs on all of them: give types of one architecture."
    }

    precondition {
      condition     = length(local.user_data) <= 16384
      error_message = "The user data of the fleet ${var.name} has ${length(local.user_data)} bytes, EC2 takes 16384: put settings and environment into the artifact, and let settings name the file."
    }
  }
}

# Workers pull: nothing may connect to them.
resource "aws_security_group" "worker" {
  name_prefix = "${var.name_prefix}-${var.name}-"
  description = "Weir workers of the fleet ${var.name}: HTTPS out, nothing in"
  vpc_id      = var.vpc_id
  tags        = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

# HTTPS to anywhere: AWS's endpoints have no fixed addresses. Name service, time and instance
# metadata are link-local, which security groups do not filter.
resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.worker.id
  description       = "AWS endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}
