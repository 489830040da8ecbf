output "arn" {
  description = "ARN of the queue, known at plan."
  value       = local.arn
}

output "dead_letter_arn" {
  description = "ARN of the dead-letter queue, known at plan."
  value       = local.dead_letter_arn
}

output "dead_letter_name" {
  description = "Name of the dead-letter queue, known at plan."
  value       = local.dead_letter_name
}

output "dead_letter_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letter.url
}

output "url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.this.url
}
