output "cluster_name" {
  description = "For ecs: cluster the controller's tasks run in. Null otherwise."
  value       = one(aws_ecs_cluster.this[*].name)
}

output "dead_letters_url" {
  description = "URL of the queue of starts that failed, with their reasons. Null for systemd."
  value       = one(aws_sqs_queue.dead_letters[*].url)
}

output "function_name" {
  description = "For lambda: name of the function. Null otherwise."
  value       = one(aws_lambda_function.this[*].function_name)
}

output "instance_profile_name" {
  description = "For systemd on EC2: instance profile of the host. Null otherwise."
  value       = one(aws_iam_instance_profile.controller[*].name)
}

output "log_group_name" {
  description = "CloudWatch log group of the controller. Null for systemd: the host's journal has the log."
  value       = one(aws_cloudwatch_log_group.this[*].name)
}

output "name" {
  description = "What everything of the controller is called: PREFIX-controller."
  value       = local.name
}

output "policy" {
  description = "IAM policy document, JSON, of all that the controller calls: for a host elsewhere than in EC2."
  value       = local.permissions
}

output "role_arn" {
  description = "ARN of the controller's role."
  value       = aws_iam_role.controller.arn
}

output "schedule_group_name" {
  description = "Group of the schedule that starts it. Null for systemd."
  value       = one(aws_scheduler_schedule_group.this[*].name)
}

output "units" {
  description = "For systemd: contents of weir.service, weir.timer and weir.env, by file name. The package brings the first two; the third goes to /etc/weir/weir.env."
  value       = local.on_host ? local.units : {}
}
