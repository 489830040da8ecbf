output "alarm_arns" {
  description = "ARN of every alarm, by name."
  value = { for alarm in concat(
    values(aws_cloudwatch_metric_alarm.controller),
    values(aws_cloudwatch_metric_alarm.dead_letters),
    values(aws_cloudwatch_metric_alarm.fleet),
  ) : alarm.alarm_name => alarm.arn }
}

output "alarm_topic_arn" {
  description = "Topic made for alarm_email. Null where there is none."
  value       = one(aws_sns_topic.alarms[*].arn)
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "dashboard_url" {
  description = "Where to look at the dashboard."
  value       = "https://${local.region}.${lookup(local.console, local.partition, local.console.aws)}/cloudwatch/home?region=${local.region}#dashboards/dashboard/${local.dashboard_name}"
}
