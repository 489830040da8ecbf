# Alarms. Each resource below is a kind of subject: fleets, dead-letter queues, the controller.

locals {
  # Of every fleet, from what the controller publishes. `over` and `under` are exclusive, in
  # `of` minutes out of `within`; `missing` says what silence means.
  fleet_alarms = merge([for name, fleet in var.fleets : { for kind, alarm in {
    # SQS counts a message that is being worked on as well, so the longest job is allowed for: a
    # message that is older than both together was begun too late, or is not being finished.
    age = {
      metric = "OldestAgeSeconds", statistic = "Maximum", over = fleet.start_within_seconds + fleet.job_seconds_max, of = var.late_minutes, within = var.late_minutes, missing = "notBreaching"
      text   = "The oldest message of ${name} is older than its objective (${fleet.start_within_seconds} s to begin) and the longest job (${fleet.job_seconds_max} s) together, for ${var.late_minutes} minutes. Workers are too few, fail, or hang: see the fleet's row of the dashboard ${local.dashboard_name}, `weir explain --policy policies/${name}.yaml` for why it has its size, and the workers' logs."
    }
    late = {
      metric = "Late", statistic = "Average", over = 1, of = var.late_minutes, within = var.late_minutes, missing = "notBreaching"
      text   = "A message that comes to ${name} now would wait for longer than ${fleet.start_within_seconds} s, for ${var.late_minutes} minutes. If more instances are on their way, wait for them to boot; if the fleet is at its max, its budget or short of capacity, the other alarms say so: raise max in its policy, or take more instance types."
    }
    silent = {
      metric = "Desired", statistic = "SampleCount", under = 1, of = 5, within = 5, missing = var.controller.enabled ? "breaching" : "notBreaching"
      text   = "No round of ${name} has been made for 5 minutes: its size stays as it is. The controller is not started, fails, or may not read the fleet: see ${local.log}; then the alarms on the controller itself. To stop it on purpose, apply controller_enabled = false."
    }
    short = {
      metric = "CapacityShort", statistic = "Maximum", over = 0, of = 10, within = 15, missing = "notBreaching"
      text   = "AWS does not give ${name} the capacity that it asks for, for 10 minutes. See the group's activity history for the reason: an instance type that is sold out (add types or zones), or a quota of the account (have it raised)."
    }
    budget = fleet.has_budget ? {
      metric = "BudgetLimited", statistic = "Maximum", over = 0, of = 5, within = 5, missing = "notBreaching"
      text   = "${name} has spent its budget of instance-hours for the day, and is held at a smaller size than its backlog asks for. It goes on by itself as hours of yesterday leave the last 24; to go on at once, raise budget in its policy and apply."
    } : null
    refused = {
      metric = "VerdictRefused", statistic = "Maximum", over = 0, of = 1, within = 1, missing = "notBreaching"
      text   = "The checker refused a verdict on ${name}, and the fleet was held: a defect of the controller. `weir explain --policy policies/${name}.yaml` shows the round; report it with what it prints. Until then the version before can be applied again."
    }
    policy = {
      metric = "PolicyRefused", statistic = "Maximum", over = 0, of = 1, within = 1, missing = "notBreaching"
      text   = "The newest ${name}.yaml in the bucket of policies is not valid; the last good version stays in force. ${title(local.log)} names every mistake with its line; `weir validate` shows the same before an apply. Apply a policy that is valid."
    }
  } : "${name}-${kind}" => merge({ over = null, under = null }, alarm, { fleet = name }) if alarm != null }]...)
}

resource "aws_cloudwatch_metric_alarm" "fleet" {
  for_each = local.fleet_alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.text
  namespace           = local.namespace
  metric_name         = each.value.metric
  dimensions          = { Fleet = each.value.fleet }
  statistic           = each.value.statistic
  period              = 60
  comparison_operator = each.value.over == null ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = each.value.over == null ? each.value.under : each.value.over
  datapoints_to_alarm = each.value.of
  evaluation_periods  = each.value.within
  treat_missing_data  = each.value.missing

  alarm_actions = local.actions
  ok_actions    = local.actions
  tags          = merge(var.tags, { "weir:fleet" = each.value.fleet })
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = var.dead_letter_queues

  alarm_name          = "${var.name_prefix}-${each.key}-dead-letters"
  alarm_description   = "Messages of ${each.key} lie in ${each.value}: jobs that failed for good, or that nobody could finish in as many deliveries as the queue allows. `weir-worker redrive list --queue ${each.key}` lists them with their reasons, `redrive show` tells all of one, `redrive return` sends back what is worth another try. They are kept for 14 days from when they were first sent."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  datapoints_to_alarm = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching" # SQS publishes nothing of a queue that is empty and left alone

  alarm_actions = local.actions
  ok_actions    = local.actions
  tags          = var.tags
}

locals {
  # Three minutes of five: a minute that fails costs one minute, and the next makes up for it.
  controller_alarms = merge(
    !local.in_lambda ? {} : {
      errors = {
        namespace  = "AWS/Lambda", metric = "Errors"
        dimensions = { FunctionName = var.controller.function_name }
        text       = "The controller's function fails in 3 of 5 minutes: it crashes, is out of memory or of time, or is configured wrong. See ${local.log}; the request and its error are in the queue of failed starts, ${var.controller.name}-dlq."
      }
      throttles = {
        namespace  = "AWS/Lambda", metric = "Throttles"
        dimensions = { FunctionName = var.controller.function_name }
        text       = "Lambda refuses to start the controller in 3 of 5 minutes: the account's concurrency is used up, or an invocation outlasts its minute. Give the account more concurrency, or see ${local.log} for why rounds are slow."
      }
    },
    var.controller.schedule_group_name == null ? {} : {
      starts = {
        namespace  = "AWS/Scheduler", metric = "TargetErrorCount"
        dimensions = { ScheduleGroup = var.controller.schedule_group_name }
        text       = "The scheduler cannot start the controller in 3 of 5 minutes: its role may not, or the ${local.in_lambda ? "function" : "cluster, image or subnet"} is gone. The error is in the queue of failed starts, ${var.controller.name}-dlq."
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "controller" {
  for_each = local.controller_alarms

  alarm_name          = "${var.controller.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Sum"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  datapoints_to_alarm = 3
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching" # whether it is silent, another alarm tells

  alarm_actions = local.actions
  ok_actions    = local.actions
  tags          = var.tags
}
