# The Auto Scaling group of one fleet. Its bounds are the policy's, its size the controller's.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  tags          = merge(var.tags, { "weir:fleet" = var.name })
  instance_tags = merge(local.tags, { Name = var.group_name })

  # The id that AWS puts before the name is not known until the group exists; a group's name is
  # unique in its region and account, so the * lets nothing else in.
  group_arn = "arn:${data.aws_partition.current.partition}:autoscaling:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:autoScalingGroup:*:autoScalingGroupName/${var.group_name}"

  # Several types, or spot, are a mixed group; one type on demand is a plain one, which alone may
  # have a warm pool. Either way it is the same group: Auto Scaling changes one into the other.
  uses_spot = var.spot != null
  mixed     = local.uses_spot || length(var.instance_types) > 1
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

  # A group is deleted by sizing it to zero and waiting, and protected instances stay: Terraform would
  # wait until it gives up. Where deletion is allowed, the group goes with its instances, working or not.
  force_delete           = var.force_delete
  force_delete_warm_pool = var.force_delete

  # Ending chosen instances leaves zones uneven. Evening them out launches beyond the desired size
  # (by up to a tenth of max) and ends instances of the group's choosing: both are the controller's
  # to decide. Launches are spread over zones all the same.
  suspended_processes = ["AZRebalance"]

  # What is left for the group to choose: the order of an instance refresh.
  termination_policies = ["OldestLaunchTemplate", "OldestInstance"]

  # A worker drains on a rebalance recommendation and then stands idle, so the group must put
  # another instance in its place. It ends the old one whatever its protection, for that holds
  # against scale-in only (User Guide, "Use instance scale-in protection"), and by way of the
  # terminating hook.
  capacity_rebalance = local.uses_spot

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

  dynamic "launch_template" {
    for_each = local.mixed ? [] : [true]

    content {
      id      = aws_launch_template.this.id
      version = aws_launch_template.this.latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = local.mixed ? [true] : []

    content {
      instances_distribution {
        on_demand_allocation_strategy            = "prioritized" # the types in their order
        on_demand_base_capacity                  = local.uses_spot ? var.spot.on_demand_base : 0
        on_demand_percentage_above_base_capacity = local.uses_spot ? var.spot.on_demand_percentage : 100
        spot_allocation_strategy                 = local.uses_spot ? var.spot.allocation_strategy : "price-capacity-optimized"
      }

      launch_template {
        launch_template_specification {
          launch_template_id = aws_launch_template.this.id
          version            = aws_launch_template.this.latest_version
        }

        # No weights: the controller counts instances, and a group with weights counts units.
        dynamic "override" {
          for_each = var.instance_types

          content {
            instance_type = override.value
          }
        }
      }
    }
  }

  # A new launch template is a new worker: the group replaces its instances, a tenth at a time.
  #
  # Every instance is protected from scale-in, so the refresh must be told to replace protected ones
  # ("Refresh"): "Wait" fails after an hour in which nobody lifts protection, "Ignore" replaces none
  # (API Reference, RefreshPreferences). No busy worker is lost by that: the refresh ends an instance
  # through the terminating hook, where it drains for as long as its jobs take, up to Auto Scaling's
  # 48 hours, or a hundred times the hook's timeout. Old instances go before new ones come, so
  # the fleet stays within its max. There is no rollback: Auto Scaling offers none for images
  # that Systems Manager names.
  dynamic "instance_refresh" {
    for_each = var.instance_refresh == null ? [] : [var.instance_refresh]

    content {
      strategy = "Rolling"

      preferences {
        min_healthy_percentage       = instance_refresh.value.min_healthy_percentage
        scale_in_protected_instances = "Refresh"
        skip_matching                = true # what the controller launched meanwhile is new already
        standby_instances            = "Ignore"
      }
    }
  }

  # Instances are prepared but their workers do not start until they are taken out: weir-boot
  # looks where the group wants them. One that leaves ends; it does not return.
  dynamic "warm_pool" {
    for_each = var.warm_pool == null ? [] : [var.warm_pool]

    content {
      pool_state                  = warm_pool.value.state
      min_size                    = warm_pool.value.min_size
      max_group_prepared_capacity = warm_pool.value.max_prepared

      instance_reuse_policy {
        reuse_on_scale_in = false
      }
    }
  }

  # The hooks for the first instances, which come with the group; hooks.tf owns them from then on.
  dynamic "initial_lifecycle_hook" {
    for_each = local.hooks

    content {
      name                 = initial_lifecycle_hook.key
      lifecycle_transition = "autoscaling:EC2_INSTANCE_${initial_lifecycle_hook.value.transition}"
      heartbeat_timeout    = initial_lifecycle_hook.value.seconds
      default_result       = initial_lifecycle_hook.value.otherwise
    }
  }

  dynamic "tag" {
    for_each = local.instance_tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity, initial_lifecycle_hook]

    precondition {
      condition     = var.warm_pool == null || !local.mixed
      error_message = "The fleet ${var.name} has a warm pool, and ${local.uses_spot ? "spot instances" : "instance types ${join(", ", var.instance_types)}"}: Auto Scaling gives a warm pool only to groups of one type on demand (API Reference, PutWarmPool)."
    }
  }

  # A worker that boots before its role may do anything would only fail and try again.
  depends_on = [aws_iam_role_policy.worker, aws_iam_role_policy.instance]
}
