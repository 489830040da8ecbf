output "by_name" {
  description = "By the policy's name: text, group (or null) and ecs_service (cluster and service, or null), min_size, max_size, has_budget, queues (name, weight, priority), actuate, slots, max_attempts, boot_seconds, start_within_seconds (null where the policy is silent), visibility_timeout_seconds."
  value = { for name, p in local.by_name : name => merge(p, {
    visibility_timeout_seconds = try(local.visibility_timeout_seconds[name], 60)
  }) }

  precondition {
    condition     = length(local.problems) == 0
    error_message = "The policies in ${var.folder} cannot be used:\n  ${join("\n  ", local.problems)}\n`weir validate ${var.folder}` shows every error with its place."
  }
}

output "queues" {
  description = "By queue name, the largest that a fleet on it needs: visibility_timeout_seconds; max_receive_count, null where no policy says; max_receive_count_derived, from the workers' attempts."
  value       = local.queues

  precondition {
    condition     = length(local.problems) == 0
    error_message = "The policies in ${var.folder} cannot be used; see the errors beside this one."
  }
}
