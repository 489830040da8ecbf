output "group_arn" {
  description = "Pattern that matches the group's ARN and no other, known at plan."
  value       = local.group_arn
}

output "group_name" {
  description = "Name of the Auto Scaling group."
  value       = aws_autoscaling_group.this.name
}

output "role_arn" {
  description = "ARN of the workers' role."
  value       = aws_iam_role.worker.arn
}

output "security_group_id" {
  description = "Security group of the workers."
  value       = aws_security_group.worker.id
}
