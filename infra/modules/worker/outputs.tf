output "environment" {
  description = "The worker's environment variables, by name; where it runs adds its own."
  value       = local.environment
}

output "policy" {
  description = "IAM policy document, JSON: what every worker of the fleet may do; where it runs adds its own."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}
