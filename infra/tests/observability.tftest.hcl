# modules/observability: every fleet is watched, by metrics that are published, and whoever is woken
# is told what to do.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  controller = {
    name                = "weir-controller"
    enabled             = true
    function_name       = "weir-controller"
    schedule_group_name = "weir-controller"
    log_group_name      = "/weir/weir-controller"
  }
  dead_letter_queues = { mails = "mails-dlq", orders = "orders-dlq.fifo" }
  fleets = {
    mails = {
      queues               = ["mails"]
      group_name           = "mail-workers"
      start_within_seconds = 60
      job_seconds_max      = 600
      has_budget           = true
      instance_hour_price  = 0.0893
    }
    orders = {
      queues               = ["mails", "orders"]
      ecs_service          = "shop/order-workers"
      start_within_seconds = 5
      job_seconds_max      = 30
      has_budget           = false
    }
  }
}

run "watches_every_fleet" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.fleet)) == toset([
      "mails-age", "mails-budget", "mails-late", "mails-policy", "mails-refused", "mails-short", "mails-silent",
      "orders-age", "orders-late", "orders-policy", "orders-refused", "orders-short", "orders-silent",
    ])
    error_message = "The fleets' alarms are ${join(", ", keys(aws_cloudwatch_metric_alarm.fleet))}."
  }

  assert {
    condition     = alltrue([for key, alarm in aws_cloudwatch_metric_alarm.fleet : alarm.namespace == "Weir/Fleet" && alarm.dimensions == tomap({ Fleet = split("-", key)[0] }) && alarm.alarm_name == "weir-${key}"])
    error_message = "A fleet's alarm must be on its own figures."
  }
}

# The names are read out of the controller's source: an alarm on a metric that nobody publishes
# would be silent for ever.
run "names_only_metrics_that_are_published" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = length(setsubtract(
      [for alarm in aws_cloudwatch_metric_alarm.fleet : alarm.metric_name],
      flatten(regexall("(?m)^(?:pub const [A-Z_]+: &str = |        \\()\"([A-Z][A-Za-z]+)\"", file("../controller/src/figures.rs"))),
    )) == 0
    error_message = "controller/src/figures.rs publishes ${join(", ", flatten(regexall("(?m)^(?:pub const [A-Z_]+: &str = |        \\()\"([A-Z][A-Za-z]+)\"", file("../controller/src/figures.rs"))))}; alarms are on ${join(", ", distinct([for alarm in aws_cloudwatch_metric_alarm.fleet : alarm.metric_name]))}."
  }

  assert {
    condition     = strcontains(file("../controller/src/aws/cloudwatch.rs"), "NAMESPACE: &str = \"${aws_cloudwatch_metric_alarm.fleet["mails-late"].namespace}\"") && strcontains(file("../controller/src/aws/cloudwatch.rs"), "DIMENSION: &str = \"${one(keys(aws_cloudwatch_metric_alarm.fleet["mails-late"].dimensions))}\"")
    error_message = "The controller publishes in another namespace or by another dimension."
  }
}

run "says_what_it_means_and_what_to_do" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.fleet), values(aws_cloudwatch_metric_alarm.dead_letters), values(aws_cloudwatch_metric_alarm.controller)) :
    length(alarm.alarm_description) >= 100 && length(alarm.alarm_description) <= 1024])
    error_message = "An alarm without a description, or with one beyond CloudWatch's 1024 characters."
  }
}

run "is_woken_by_messages_that_are_late" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    late_minutes = 7
  }

  assert {
    condition = { for key in ["mails-age", "orders-age"] : key => [
      aws_cloudwatch_metric_alarm.fleet[key].metric_name, tostring(aws_cloudwatch_metric_alarm.fleet[key].threshold),
      aws_cloudwatch_metric_alarm.fleet[key].comparison_operator, tostring(aws_cloudwatch_metric_alarm.fleet[key].evaluation_periods),
      ] } == {
      mails-age  = ["OldestAgeSeconds", "660", "GreaterThanThreshold", "7"]
      orders-age = ["OldestAgeSeconds", "35", "GreaterThanThreshold", "7"]
    }
    error_message = "A message may be as old as the objective and the longest job together, for late_minutes."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.fleet["mails-late"].metric_name == "Late" && aws_cloudwatch_metric_alarm.fleet["mails-late"].threshold == 1 && aws_cloudwatch_metric_alarm.fleet["mails-late"].datapoints_to_alarm == 7
    error_message = "A wait beyond the objective, for late_minutes."
  }
}

run "is_woken_by_silence" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue([for alarm in [aws_cloudwatch_metric_alarm.fleet["mails-silent"], aws_cloudwatch_metric_alarm.fleet["orders-silent"]] : (
      alarm.metric_name == "Desired" && alarm.statistic == "SampleCount" && alarm.comparison_operator == "LessThanThreshold" && alarm.threshold == 1
      && alarm.evaluation_periods == 5 && alarm.period == 60 && alarm.treat_missing_data == "breaching"
    )])
    error_message = "Five minutes without a figure are five minutes without a round."
  }
}

run "sleeps_while_the_controller_is_paused" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    controller = {
      name                = "weir-controller"
      enabled             = false
      function_name       = "weir-controller"
      schedule_group_name = "weir-controller"
      log_group_name      = "/weir/weir-controller"
    }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.fleet["mails-silent"].treat_missing_data == "notBreaching"
    error_message = "Silence that was asked for is no alarm."
  }
}

run "is_woken_by_dead_letters" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = { for key, alarm in aws_cloudwatch_metric_alarm.dead_letters : key => "${alarm.namespace} ${alarm.metric_name} ${alarm.dimensions.QueueName} > ${alarm.threshold}" } == { mails = "AWS/SQS ApproximateNumberOfMessagesVisible mails-dlq > 0", orders = "AWS/SQS ApproximateNumberOfMessagesVisible orders-dlq.fifo > 0" }
    error_message = "One dead letter is one too many."
  }
}

run "watches_the_function_and_who_starts_it" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.controller : key => "${alarm.namespace} ${alarm.metric_name} ${jsonencode(alarm.dimensions)}" } == {
      errors    = "AWS/Lambda Errors {\"FunctionName\":\"weir-controller\"}"
      starts    = "AWS/Scheduler TargetErrorCount {\"ScheduleGroup\":\"weir-controller\"}"
      throttles = "AWS/Lambda Throttles {\"FunctionName\":\"weir-controller\"}"
    }
    error_message = "The controller's alarms are ${jsonencode({ for key, alarm in aws_cloudwatch_metric_alarm.controller : key => alarm.metric_name })}."
  }
}

run "watches_the_scheduler_alone_on_fargate" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    controller = {
      name                = "weir-controller"
      enabled             = true
      schedule_group_name = "weir-controller"
      log_group_name      = "/weir/weir-controller"
    }
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.controller) == ["starts"]
    error_message = "On Fargate there is no function to watch: ${join(", ", keys(aws_cloudwatch_metric_alarm.controller))}."
  }
}

run "watches_rounds_alone_on_a_host" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    controller = { name = "weir-controller", enabled = true }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.controller) == 0 && length(aws_cloudwatch_metric_alarm.fleet) == 13
    error_message = "A host has neither function nor schedule; its fleets are watched all the same."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.fleet["mails-silent"].alarm_description, "journalctl -u weir")
    error_message = "On a host the log is the journal."
  }
}

run "wakes_nobody_unless_told_whom" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = length(aws_sns_topic.alarms) + length(aws_kms_key.alarms) == 0 && alltrue([for alarm in aws_cloudwatch_metric_alarm.fleet : length(coalesce(alarm.alarm_actions, [])) == 0])
    error_message = "Neither an address nor a topic was given."
  }
}

run "sends_to_topics_that_are_given" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:on-call"]
  }

  assert {
    condition = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.fleet), values(aws_cloudwatch_metric_alarm.dead_letters), values(aws_cloudwatch_metric_alarm.controller)) :
    toset(alarm.alarm_actions) == toset(var.alarm_topic_arns) && toset(alarm.ok_actions) == toset(var.alarm_topic_arns)])
    error_message = "Every alarm, and its end, goes to the given topics."
  }
}

run "sends_to_an_address_through_an_encrypted_topic" {
  command = apply

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_email = "ops@example.com"
  }

  assert {
    condition     = aws_sns_topic.alarms[0].kms_master_key_id == aws_kms_key.alarms[0].arn && aws_sns_topic_subscription.email[0].endpoint == "ops@example.com"
    error_message = "The address is subscribed to a topic under a key that alarms may use."
  }

  assert {
    condition = (
      one([for s in jsondecode(aws_sns_topic_policy.alarms[0].policy).Statement : s if s.Effect == "Allow"]).Principal.Service == "cloudwatch.amazonaws.com"
      && one([for s in jsondecode(aws_sns_topic_policy.alarms[0].policy).Statement : s if s.Effect == "Allow"]).Condition.StringEquals["aws:SourceAccount"] == "123456789012"
      && one([for s in jsondecode(aws_kms_key.alarms[0].policy).Statement : s if s.Sid == "SendAlarms"]).Condition.ArnLike["aws:SourceArn"] == "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:*"
    )
    error_message = "Alarms of this account alone may publish."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.fleet : toset(alarm.alarm_actions) == toset([aws_sns_topic.alarms[0].arn])])
    error_message = "Every alarm goes to the topic."
  }
}

run "uses_the_customers_key" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_email = "ops@example.com"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = aws_sns_topic.alarms[0].kms_master_key_id == var.kms_key_arn && length(aws_kms_key.alarms) == 0
    error_message = "Where a key is given none is made."
  }
}

run "shows_a_fleet_in_two_rows" {
  command = apply

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.markdown if w.type == "text"] == ["## mails: group mail-workers, begin within 60 s", "## orders: service shop/order-workers, begin within 5 s"]
    error_message = "Each fleet has a header."
  }

  # Two widgets may not lie over one another, and none beyond the 24 columns.
  assert {
    condition = length(flatten([for i, a in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [for j, b in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${i} ${j}"
      if i < j && a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height || a.x + a.width > 24
    ]])) == 0
    error_message = "Widgets overlap: ${jsonencode([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [w.x, w.y, w.width, w.height]])}."
  }

  # Read out of the controller's source, both ways: nothing that is not published, and nothing
  # published that nobody sees.
  assert {
    condition = toset(flatten([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [for m in try(w.properties.metrics, []) : m[1] if try(m[0] == "Weir/Fleet", false)]])) == toset(
    flatten(regexall("(?m)^(?:pub const [A-Z_]+: &str = |        \\()\"([A-Z][A-Za-z]+)\"", file("../controller/src/figures.rs"))))
    error_message = "The dashboard does not show just what controller/src/figures.rs publishes: ${join(", ", flatten(regexall("(?m)^(?:pub const [A-Z_]+: &str = |        \\()\"([A-Z][A-Za-z]+)\"", file("../controller/src/figures.rs"))))}."
  }

  assert {
    condition     = length([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w if w.type == "metric"]) == 17
    error_message = "The controller has one chart, each fleet eight."
  }

  assert {
    condition     = flatten([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [for m in try(w.properties.metrics, []) : m[0].expression if can(m[0].expression)]]) == ["hours * 0.0893"]
    error_message = "What the last 24 hours cost is shown where a price is known, and nowhere else."
  }

  assert {
    condition     = output.dashboard_url == "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/weir"
    error_message = "The dashboard is at ${output.dashboard_url}."
  }
}

run "refuses_an_address_that_is_none" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_email = "ops"
  }

  expect_failures = [var.alarm_email]
}

run "refuses_a_topic_that_alarms_cannot_publish_to" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:on-call.fifo"]
  }

  expect_failures = [var.alarm_topic_arns]
}

run "refuses_more_actions_than_an_alarm_has" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_email      = "ops@example.com"
    alarm_topic_arns = [for n in range(5) : "arn:aws:sns:eu-west-1:123456789012:on-call-${n}"]
  }

  expect_failures = [var.alarm_topic_arns]
}

run "refuses_to_wait_for_no_time_at_all" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    late_minutes = 0
  }

  expect_failures = [var.late_minutes]
}

run "says_when_a_dashboard_is_full" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    fleets = { for n in range(51) : "fleet-${n}" => {
      queues = ["mails"], group_name = "group-${n}", start_within_seconds = 60, job_seconds_max = 60, has_budget = false
    } }
  }

  expect_failures = [var.fleets]
}
