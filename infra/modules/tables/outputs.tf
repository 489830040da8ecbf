output "jobs" {
  description = "Name and ARN of the jobs table, known at plan."
  value       = { name = local.jobs_name, arn = "${local.arn_prefix}/${local.jobs_name}" }
}

output "state" {
  description = "Name and ARN of the state table, known at plan."
  value       = { name = local.state_name, arn = "${local.arn_prefix}/${local.state_name}" }
}
