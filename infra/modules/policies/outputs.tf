output "by_name" {
  description = "By the policy's name: text, group, min_size, max_size, queues, actuate, slots, boot_seconds (null where the policy is silent), visibility_timeout_seconds."
  value = { for name, p in local.by_name : name => merge(p, {
    visibility_timeout_seconds = local.visibility_timeout_seconds[name]
  }) }

  precondition {
    condition     = length(local.problems) == 0
    error_message = "The policies in ${var.folder} cannot be used:\n  ${join("\n  ", local.problems)}\n`weir validate --policy ${var.folder}` shows every error with its place."
  }
}

output "queues" {
  description = "By queue name, for how many seconds its messages are hidden: as long as the slowest fleet on it needs."
  value = { for queue in distinct(flatten([for p in local.by_name : p.queues])) : queue =>
    max([for name, p in local.by_name : local.visibility_timeout_seconds[name] if contains(p.queues, queue)]...)
  }

  precondition {
    condition     = length(local.problems) == 0
    error_message = "The policies in ${var.folder} cannot be used; see the errors beside this one."
  }
}
