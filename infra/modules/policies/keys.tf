# The keys of a policy and what each may hold, mapping by mapping: the same as `weir validate` has.
#
# `kind` names a check in values.tf; `from` and `to` bound it, in seconds for durations.

locals {
  instances = { kind = "whole", from = 0, to = 100000, allowed = "a whole number from 0 to 100000" }
  fourteen  = 14 * 86400
  name      = "letters, digits, hyphens and underscores"

  keys = {
    policy = {
      version   = { required = true, kind = "whole", from = 1, to = 1, allowed = "1" }
      name      = { required = true, kind = "text", pattern = "^[A-Za-z0-9_-]{1,40}$", allowed = "1 to 40 ${local.name}" }
      queues    = { required = true, kind = "list", allowed = "a list of 1 to 20 queues, each with a name" }
      fleet     = { required = true, kind = "mapping", allowed = "a mapping with auto_scaling_group or ecs_service, and max" }
      objective = { required = true, kind = "mapping", allowed = "a mapping with start_within, such as 60s" }
      worker    = { kind = "mapping", allowed = "a mapping" }
      forecast  = { kind = "forecast", allowed = "auto or off" }
      scale_out = { kind = "mapping", allowed = "a mapping with max_step" }
      scale_in  = { kind = "mapping", allowed = "a mapping with max_step or hold" }
      schedule  = { kind = "list", allowed = "a list of windows, each with cron, for and min" }
      budget    = { kind = "mapping", allowed = "a mapping with instance_hours_per_day" }
      actuate   = { kind = "text", pattern = "^(desired_capacity|target_tracking)$", allowed = "desired_capacity or target_tracking" }
    }

    queue = {
      # 80 characters are SQS's most, and the dead-letter queue's name has four more.
      name               = { kind = "text", pattern = "^([A-Za-z0-9_-]{1,76}|[A-Za-z0-9_-]{1,71}[.]fifo)$", allowed = "1 to 76 ${local.name}, or 1 to 71 and .fifo: -dlq must find room in 80" }
      url                = { kind = "never", allowed = "left out: Terraform makes the queues it names, one made elsewhere has no place here" }
      weight             = { kind = "number", from = 0.001, to = 1000, allowed = "a number from 0.001 to 1000" }
      priority           = { kind = "whole", from = -1000, to = 1000, allowed = "a whole number from -1000 to 1000" }
      objective          = { kind = "mapping", allowed = "a mapping with start_within, percentile or both" }
      visibility_timeout = { kind = "duration", from = 1, to = 43200, allowed = "a duration with its unit, from 1s to 12h" }
      max_receive_count  = { kind = "whole", from = 1, to = 1000, allowed = "a whole number from 1 to 1000" }
    }

    fleet = {
      auto_scaling_group = { kind = "text", pattern = "^[^:\\p{Cc}]{1,255}$", allowed = "a name of 1 to 255 characters without colon or control characters" }
      ecs_service        = { kind = "text", pattern = "^[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}$", allowed = "CLUSTER/SERVICE, each 1 to 255 ${local.name}" }
      min                = local.instances
      max                = merge(local.instances, { required = true })
    }

    objective = {
      start_within = { required = true, kind = "duration", from = 0.001, to = local.fourteen, allowed = "a duration with its unit, from 1ms to 336h" }
      percentile   = { kind = "share", allowed = "a number above 0 and below 100" }
    }

    own_objective = {
      start_within = { kind = "duration", from = 0.001, to = local.fourteen, allowed = "a duration with its unit, from 1ms to 336h" }
      percentile   = { kind = "share", allowed = "a number above 0 and below 100" }
    }

    worker = {
      slots        = { kind = "whole", from = 1, to = 10000, allowed = "a whole number from 1 to 10000" }
      service_time = { kind = "duration", from = 0.001, to = 43200, allowed = "a duration with its unit, from 1ms to 12h" }
      boot_time    = { kind = "duration", from = 0, to = 86400, allowed = "a duration with its unit, from 0s to 24h" }
      max_attempts = { kind = "whole", from = 1, to = 1000, allowed = "a whole number from 1 to 1000" }
    }

    scale_out = {
      max_step = { kind = "step", allowed = "unlimited, a percentage such as 100%, or a count of at least 1" }
    }

    scale_in = {
      max_step = { kind = "step", allowed = "unlimited, a percentage such as 100%, or a count of at least 1" }
      hold     = { kind = "hold", from = 0, to = 86400, allowed = "auto, or a duration with its unit, from 0s to 24h" }
    }

    window = {
      cron     = { required = true, kind = "cron", allowed = "a cron expression of five fields, such as \"0 8 * * MON-FRI\"" }
      timezone = { kind = "text", pattern = "^[A-Za-z][A-Za-z0-9_+/-]*$", allowed = "an IANA time zone, such as Europe/Berlin or UTC" }
      "for"    = { required = true, kind = "duration", from = 1, to = 744 * 3600, allowed = "a duration with its unit, from 1s to 744h" }
      min      = merge(local.instances, { required = true })
    }

    budget = {
      instance_hours_per_day = { required = true, kind = "positive", allowed = "a number of hours above 0" }
    }
  }
}
