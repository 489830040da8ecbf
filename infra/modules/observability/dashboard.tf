# One dashboard: the controller and all alarms first, then two rows a fleet.

locals {
  dashboard_name = var.name_prefix

  # A fleet's header and two rows of widgets, 24 columns wide.
  fleet_height  = 13
  header_height = 1
  row_height    = 6
  top_height    = 6

  fleet_names = sort(keys(var.fleets))
  fleet_top   = { for at, name in local.fleet_names : name => local.top_height + at * local.fleet_height }

  console = {
    aws        = "console.aws.amazon.com"
    aws-cn     = "console.amazonaws.cn"
    aws-us-gov = "console.amazonaws-us-gov.com"
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.dashboard_name
  dashboard_body = jsonencode({
    start   = "-PT6H"
    widgets = concat(local.top_widgets, flatten([for name in local.fleet_names : local.fleet_widgets[name]]))
  })
}

locals {
  alarm_arns = concat(
    [for alarm in aws_cloudwatch_metric_alarm.controller : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.dead_letters : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.fleet : alarm.arn],
  )

  top_widgets = concat(
    [{
      type = "alarm", x = 0, y = 0, width = 12, height = local.top_height
      properties = {
        title  = "Alarms"
        alarms = slice(local.alarm_arns, 0, min(100, length(local.alarm_arns))) # a widget takes 100
      }
    }],
    !local.in_lambda ? [] : [{
      type = "metric", x = 12, y = 0, width = 6, height = local.top_height
      properties = {
        title  = "Controller: starts"
        region = local.region, view = "timeSeries", stat = "Sum", period = 60
        metrics = [
          ["AWS/Lambda", "Invocations", "FunctionName", var.controller.function_name],
          ["AWS/Lambda", "Errors", "FunctionName", var.controller.function_name],
          ["AWS/Lambda", "Throttles", "FunctionName", var.controller.function_name],
          ["AWS/Scheduler", "TargetErrorCount", "ScheduleGroup", var.controller.schedule_group_name],
        ]
      }
    }],
    !local.on_fargate ? [] : [{
      type = "metric", x = 12, y = 0, width = 6, height = local.top_height
      properties = {
        title  = "Controller: starts"
        region = local.region, view = "timeSeries", stat = "Sum", period = 60
        metrics = [
          ["AWS/Scheduler", "InvocationAttemptCount", "ScheduleGroup", var.controller.schedule_group_name],
          ["AWS/Scheduler", "TargetErrorCount", "ScheduleGroup", var.controller.schedule_group_name],
        ]
      }
    }],
    var.controller.log_group_name == null ? [] : [{
      type = "log", x = 18, y = 0, width = 6, height = local.top_height
      properties = {
        title  = "Controller: warnings and errors"
        region = local.region, view = "table"
        query  = "SOURCE '${var.controller.log_group_name}' | filter level in ['ERROR', 'WARN'] | sort @timestamp desc | limit 20"
      }
    }],
  )

  # By fleet and name of a widget: what its metrics are.
  fleet_widgets = { for name, fleet in var.fleets : name => concat(
    [{
      type       = "text", x = 0, y = local.fleet_top[name], width = 24, height = local.header_height
      properties = { markdown = "## ${name}: ${fleet.group_name == null ? "service ${coalesce(fleet.ecs_service, "-")}" : "group ${fleet.group_name}"}, begin within ${fleet.start_within_seconds} s" }
    }],
    [for at, widget in [
      {
        title = "Backlog", stacked = true
        metrics = concat(
          [for queue in fleet.queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, { label = "${queue} waiting", stat = "Maximum" }]],
          [for queue in fleet.queues : ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", queue, { label = "${queue} in flight", stat = "Maximum" }]],
        )
      },
      {
        title = "Age of the oldest message, in seconds", limit = fleet.start_within_seconds, limit_label = "begin within"
        metrics = [
          [local.namespace, "OldestAgeSeconds", "Fleet", name, { label = "oldest, seen by the controller", stat = "Maximum" }],
        ]
      },
      {
        title = "A new message's wait, in seconds", limit = fleet.start_within_seconds, limit_label = "begin within"
        metrics = [
          [local.namespace, "WaitEstimateSeconds", "Fleet", name, { label = "estimate", stat = "Maximum" }],
          [local.namespace, "Late", "Fleet", name, { label = "share of the objective", stat = "Maximum", yAxis = "right" }],
        ]
      },
      {
        title = "Backlog per instance and its target"
        metrics = [
          [local.namespace, "BacklogPerInstance", "Fleet", name, { label = "backlog per instance" }],
          [local.namespace, "BacklogPerInstanceTarget", "Fleet", name, { label = "target" }],
        ]
      },
      {
        title = "Size: wanted and running"
        metrics = concat(
          [
            [local.namespace, "Desired", "Fleet", name, { label = "desired" }],
            [local.namespace, "InService", "Fleet", name, { label = "in service" }],
          ],
          [for metric in ["GroupPendingInstances", "GroupInServiceInstances", "GroupTerminatingInstances", "GroupMaxSize"] :
            ["AWS/AutoScaling", metric, "AutoScalingGroupName", fleet.group_name, { label = metric }] if fleet.group_name != null
          ],
        )
      },
      {
        title = "The last 24 hours: instance-hours${fleet.instance_hour_price == null ? "" : " and cost"}"
        metrics = concat(
          [[local.namespace, "InstanceHoursToday", "Fleet", name, { id = "hours", label = "instance-hours", stat = "Maximum" }]],
          [for price in [fleet.instance_hour_price] :
            [{ id = "cost", expression = "hours * ${price}", label = "cost", yAxis = "right" }] if price != null
          ],
        )
      },
      {
        title = "Dead letters"
        metrics = [for queue in fleet.queues :
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queues[queue], { label = var.dead_letter_queues[queue], stat = "Maximum" }]
        ]
      },
      {
        title = "What held it: 1 where it did"
        metrics = [for metric in ["CapacityShort", "BudgetLimited", "VerdictRefused", "PolicyRefused"] :
          [local.namespace, metric, "Fleet", name, { label = metric, stat = "Maximum" }]
        ]
      },
      ] : {
      type   = "metric"
      x      = at % 4 * 6
      y      = local.fleet_top[name] + local.header_height + floor(at / 4) * local.row_height
      width  = 6
      height = local.row_height
      properties = merge(
        {
          title   = widget.title
          region  = local.region
          view    = "timeSeries"
          stat    = "Average"
          period  = 60
          stacked = try(widget.stacked, false)
          yAxis   = { left = { min = 0 } }
          metrics = widget.metrics
        },
        { for limit in [try(widget.limit, null)] : "annotations" => { horizontal = [{ label = widget.limit_label, value = limit }] } if limit != null },
      )
    }],
  ) }
}
