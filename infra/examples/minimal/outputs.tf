output "queue_urls" {
  description = "URL of each queue, by name: where a front end sends its messages."
  value       = module.weir.queue_urls
}

output "producer_policy" {
  description = "IAM policy document, JSON, for a front end."
  value       = module.weir.producer_policy
}
