output "queue_urls" {
  description = "URL of each queue, by name: where a front end sends its messages."
  value       = module.weir.queue_urls
}

output "operator_policy" {
  description = "IAM policy document, JSON, for whoever looks after the fleets."
  value       = module.weir.operator_policy
}

output "payload_bucket" {
  description = "Name of the bucket for large bodies."
  value       = module.weir.payload_bucket
}

output "producer_policy" {
  description = "IAM policy document, JSON, for a front end."
  value       = module.weir.producer_policy
}
