output "auto_scaling_groups" {
  description = "Auto Scaling group of each fleet, by policy name."
  value       = { for name, fleet in module.fleet : name => fleet.group_name }
}

output "controller_log_group" {
  description = "CloudWatch log group of the controller."
  value       = module.controller.log_group_name
}

output "dead_letter_queue_urls" {
  description = "URL of each queue's dead-letter queue, by queue name."
  value       = { for name, queue in module.queue : name => queue.dead_letter_url }
}

output "jobs_table" {
  description = "Name of the table that holds every job's state and result."
  value       = module.tables.jobs.name
}

output "producer_policy" {
  description = "IAM policy document, JSON, for what a front end does: send messages, read job records."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SubmitJobs"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = [for name in sort(keys(module.queue)) : module.queue[name].arn]
      },
      {
        Sid      = "ReadResults"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
        Resource = [module.tables.jobs.arn]
      },
    ]
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

output "worker_role_arns" {
  description = "ARN of the workers' role of each fleet, by policy name, for resource policies such as a bucket's."
  value       = { for name, fleet in module.fleet : name => fleet.role_arn }
}
