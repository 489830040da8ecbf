output "alarm_arns" {
  description = "ARN of every alarm, by name."
  value       = module.observability.alarm_arns
}

output "alarm_topic_arn" {
  description = "Topic that alarm_email is subscribed to. Null where there is no address."
  value       = module.observability.alarm_topic_arn
}

output "auto_scaling_groups" {
  description = "Auto Scaling group of each fleet, by policy name."
  value       = { for name, fleet in module.fleet : name => fleet.group_name }
}

output "controller_dead_letters_url" {
  description = "Queue of the controller's starts that failed, each with its reason. Null for systemd."
  value       = module.controller.dead_letters_url
}

output "controller_instance_profile" {
  description = "For systemd on EC2: instance profile of the host that runs the controller. Null otherwise."
  value       = module.controller.instance_profile_name
}

output "controller_log_group" {
  description = "CloudWatch log group of the controller. Null for systemd, whose host has the log."
  value       = module.controller.log_group_name
}

output "controller_policy" {
  description = "IAM policy document, JSON, of all that the controller calls: for a host elsewhere than in EC2."
  value       = module.controller.policy
}

output "controller_role_arn" {
  description = "ARN of the controller's role."
  value       = module.controller.role_arn
}

output "controller_units" {
  description = "For systemd: contents of weir.service, weir.timer and weir.env, by file name. The package brings the first two; the third goes to /etc/weir/weir.env."
  value       = module.controller.units
}

output "dashboard_url" {
  description = "Where to look at the fleets."
  value       = module.observability.dashboard_url
}

output "dead_letter_queue_urls" {
  description = "URL of each queue's dead-letter queue, by queue name."
  value       = { for name, queue in module.queue : name => queue.dead_letter_url }
}

output "ecs_services" {
  description = "ECS service of each fleet on Fargate, CLUSTER/SERVICE, by policy name."
  value       = { for name, fleet in module.ecs_fleet : name => fleet.service }
}

output "jobs_table" {
  description = "Name of the table that holds every job's state and result."
  value       = module.tables.jobs.name
}

output "artifact_bucket" {
  description = "Name of the bucket of artifacts and policies."
  value       = module.artifacts.bucket.name
}

output "operator_policy" {
  description = "IAM policy document, JSON, for a person with `weir plan`, `explain` and `status` and `weir-worker check`, `status`, `redrive`, `submit` and `result`."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = local.operator_statements
  })
}

output "payload_bucket" {
  description = "Name of the bucket for large bodies. Null: there is none."
  value       = try(local.payload_bucket.name, null)
}

output "producer_policy" {
  description = "IAM policy document, JSON, for what a front end does: send messages, read job records, and store large bodies where there is a bucket for them."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = local.producer_statements
  })
}

output "queue_urls" {
  description = "URL of each queue, by name: where a front end sends its messages."
  value       = { for name, queue in module.queue : name => queue.url }
}

output "state_table" {
  description = "Name of the table that holds workers' reports and the controller's state."
  value       = module.tables.state.name
}

output "worker_log_groups" {
  description = "CloudWatch log group of each fleet's workers on Fargate, by policy name; on EC2 logs stay in the instances' journals."
  value       = { for name, fleet in module.ecs_fleet : name => fleet.log_group_name }
}

output "worker_role_arns" {
  description = "ARN of the workers' role of each fleet, by policy name, for resource policies such as a bucket's."
  value       = merge({ for name, fleet in module.fleet : name => fleet.role_arn }, { for name, fleet in module.ecs_fleet : name => fleet.role_arn })
}
