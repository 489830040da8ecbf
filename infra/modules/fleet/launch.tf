# What an instance is made of, and how it becomes a worker.

locals {
  # Graviton types carry a g after the generation: c7g, m6gd, t4g, im4gn.
  architecture = can(regex("^[a-z]+[0-9]+g[a-z]*[.]", var.instance_type)) ? "arm64" : "x86_64"

  image_id = coalesce(var.image_id,
  "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${local.architecture}")

  environment = merge(
    {
      AWS_REGION              = data.aws_region.current.name
      WEIR_AUTO_SCALING_GROUP = var.group_name
      WEIR_FLEET              = var.name
      WEIR_JOBS_TABLE         = var.jobs_table.name
      WEIR_JOB_TIMEOUT        = "${var.job_timeout_seconds}s"
      WEIR_LIFECYCLE_HOOK     = local.hook_name
      WEIR_QUEUE              = join(",", [for queue in var.queues : queue.name])
      WEIR_STATE_TABLE        = var.state_table.name
      WEIR_VISIBILITY_TIMEOUT = "${var.visibility_timeout_seconds}s"
    },
    var.slots == null ? {} : { WEIR_SLOTS = tostring(var.slots) },
    var.exec == null ? {} : { WEIR_EXEC = var.exec },
    var.environment,
  )

  user_data = templatefile("${path.module}/templates/boot.sh.tftpl", {
    artifact = var.artifact
    # systemd's quoting: in double quotes, \ and " are escaped, and $ means nothing.
    environment_file = join("\n", [for name, value in local.environment :
      "${name}=\"${replace(replace(value, "\\", "\\\\"), "\"", "\\\"")}\""
    ])
    unit = templatefile("${path.module}/templates/weir-worker.service.tftpl", {
      fleet        = var.name
      stop_seconds = var.job_timeout_seconds + 60
    })
  })
}

resource "aws_launch_template" "this" {
  name                   = "${var.name_prefix}-${var.name}"
  description            = "Weir workers of the fleet ${var.name}"
  image_id               = local.image_id
  instance_type          = var.instance_type
  update_default_version = true
  user_data              = base64encode(local.user_data)

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
      delete_on_termination = true
    }
  }

  network_interfaces {
    associate_public_ip_address = var.assign_public_ip
    delete_on_termination       = true
    security_groups             = [aws_security_group.worker.id]
  }

  # The group tags instances, but not their volumes.
  tag_specifications {
    resource_type = "volume"
    tags          = local.tags
  }
}

# Workers pull: nothing may connect to them.
resource "aws_security_group" "worker" {
  name_prefix = "${var.name_prefix}-${var.name}-"
  description = "Weir workers of the fleet ${var.name}: HTTPS out, nothing in"
  vpc_id      = var.vpc_id

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
}
