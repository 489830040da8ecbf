output "log_group_name" {
  description = "CloudWatch log group of the workers."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_arn" {
  description = "ARN of the workers' role."
  value       = aws_iam_role.task.arn
}

output "security_group_id" {
  description = "Security group of the workers."
  value       = aws_security_group.worker.id
}

output "service" {
  description = "CLUSTER/SERVICE, as policies have it."
  value       = "${var.cluster}/${aws_ecs_service.this.name}"
}

output "service_arn" {
  description = "The service's ARN, known at plan."
  value       = local.service_arn
}
