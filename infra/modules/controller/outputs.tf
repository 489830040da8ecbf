output "cluster_name" {
  description = "ECS cluster the controller's tasks run in."
  value       = aws_ecs_cluster.this.name
}

output "log_group_name" {
  description = "CloudWatch log group of the controller; a stream prefix a fleet."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_arn" {
  description = "ARN of the controller's role."
  value       = aws_iam_role.controller.arn
}
