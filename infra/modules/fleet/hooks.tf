# The two moments at which the group waits for the worker.

locals {
  boot_hook  = "weir-boot"
  drain_hook = "weir-drain"

  # Three times the boot time that the policy guesses, and ten minutes without a guess: a machine
  # that needs longer is replaced. At least a minute, at most half an hour.
  boot_hook_seconds = var.boot_seconds == null ? 600 : min(1800, max(60, ceil(3 * var.boot_seconds)))

  # What the boot script gives the worker of that: the rest is for the machine's own start and to
  # tell the group before it stops waiting.
  start_seconds = local.boot_hook_seconds - 30

  # The hook holds a leaving instance for one job and a minute to settle it, at least five minutes
  # and at most what Auto Scaling takes. A worker that needs longer says so by heartbeats; a dead
  # one cannot, and is paid for until then. So is one that leaves a warm pool while stopped.
  drain_hook_seconds = min(7200, max(300, var.job_timeout_seconds + 60))

  hooks = {
    # Until weir-boot says that the worker is ready. A machine that never says so is replaced.
    (local.boot_hook) = { transition = "LAUNCHING", seconds = local.boot_hook_seconds, otherwise = "ABANDON" }
    # Until the worker has finished or handed back what it holds. ABANDON ends the instance as well,
    # but skips the actions of any other hook.
    (local.drain_hook) = { transition = "TERMINATING", seconds = local.drain_hook_seconds, otherwise = "CONTINUE" }
  }
}

resource "aws_autoscaling_lifecycle_hook" "this" {
  for_each = local.hooks

  name                   = each.key
  autoscaling_group_name = aws_autoscaling_group.this.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_${each.value.transition}"
  heartbeat_timeout      = each.value.seconds
  default_result         = each.value.otherwise
}

moved {
  from = aws_autoscaling_lifecycle_hook.drain
  to   = aws_autoscaling_lifecycle_hook.this["weir-drain"]
}
