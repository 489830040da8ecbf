# The Auto Scaling group of one fleet. Its bounds are the policy's, its size the controller's.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  hook_name = "weir-drain"
  tags      = merge(var.tags, { "weir:fleet" = var.name })

  # The id that AWS puts before the name is not known until the group exists; a group's name is
  # unique in its region and account, so the * lets nothing else in.
  group_arn = "arn:${data.aws_partition.current.partition}:autoscaling:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:autoScalingGroup:*:autoScalingGroupName/${var.group_name}"

  # The hook holds a leaving instance for one job and a minute to settle it, at least five minutes
  # and at most what Auto Scaling takes. A worker that needs longer says so by heartbeats; a dead
  # one cannot, and is paid for until then.
  hook_seconds = min(7200, max(300, var.job_timeout_seconds + 60))
}

resource "aws_autoscaling_group" "this" {
  name                = var.group_name
  min_size            = var.min_size
  max_size            = var.max_size
  desired_capacity    = var.min_size # at creation; see ignore_changes
  vpc_zone_identifier = var.subnet_ids

  # The group never picks a victim: the controller ends idle instances by name, so that no busy
  # one is ended by scale-in.
  protect_from_scale_in = true

  # Ending chosen instances leaves zones uneven. Evening them out launches beyond the desired size
  # (by up to a tenth of max) and ends instances of the group's choosing: both are the controller's
  # to decide. Launches are spread over zones all the same.
  suspended_processes = ["AZRebalance"]

  health_check_type         = "EC2"
  default_instance_warmup   = var.boot_seconds == null ? null : ceil(var.boot_seconds) # until then target tracking leaves a new instance out
  wait_for_capacity_timeout = "0"                                                      # apply does not wait for workers to boot

  metrics_granularity = "1Minute"
  enabled_metrics = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
  ]

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  dynamic "tag" {
    for_each = merge(local.tags, { Name = var.group_name })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }

  # A worker that boots before its role may do anything would only fail and try again.
  depends_on = [aws_iam_role_policy.worker]
}

# Holds an instance that leaves until its worker has finished or handed back what it holds.
resource "aws_autoscaling_lifecycle_hook" "drain" {
  name                   = local.hook_name
  autoscaling_group_name = aws_autoscaling_group.this.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = local.hook_seconds
  default_result         = "CONTINUE" # ABANDON ends the instance as well, but skips the actions of any other hook
}
