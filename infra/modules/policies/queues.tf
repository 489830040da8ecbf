# What SQS must know of each queue follows from the fleets that it feeds.

locals {
  # A worker renews a message's invisibility while it works, so this decides how soon a dead
  # worker's message is seen again. Six mean service times: were renewal to fail altogether,
  # exp(-6), one in 400, of exponentially long jobs would outlast it. At least a minute, so that
  # a few renewals may be missed; at most a quarter of an hour, so that a lost job is not lost from sight.
  derived_visibility_seconds = { for name, p in local.by_name :
    name => ceil(min(900, max(60, 6 * (p.service_seconds == null ? 0 : p.service_seconds))))
  }

  # By fleet: the longest that any of its queues asks for; a worker takes no less than two seconds.
  visibility_timeout_seconds = { for name, p in local.by_name :
    name => ceil(max(2, [for q in p.queues : q.visibility_seconds == null ? local.derived_visibility_seconds[name] : q.visibility_seconds]...))
    if length(p.queues) > 0
  }

  # SQS counts hand-backs of a drain as deliveries, the worker counts attempts: twice as many leave
  # room for as many hand-backs as attempts. SQS counts to 1000. Ten, twice the worker's own default, is the least.
  derived_receive_count = { for name, p in local.by_name :
    name => min(1000, max(10, 2 * (p.max_attempts == null ? 0 : p.max_attempts)))
  }

  queue_names = distinct(flatten([for p in local.by_name : [for q in p.queues : q.name]]))

  # A queue that several fleets share gets the largest of what they ask for.
  queues = { for queue in local.queue_names : queue => {
    visibility_timeout_seconds = ceil(max(flatten([for name, p in local.by_name : [for q in p.queues :
      q.visibility_seconds == null ? local.derived_visibility_seconds[name] : q.visibility_seconds if q.name == queue
    ]])...))
    # Null where no policy says; then what follows from the fleets holds.
    max_receive_count = try(max([for n in flatten([for p in local.by_name : [for q in p.queues :
      q.max_receive_count if q.name == queue
    ]]) : n if n != null]...), null)
    max_receive_count_derived = max([for name, p in local.by_name :
      local.derived_receive_count[name] if contains([for q in p.queues : q.name], queue)
    ]...)
  } }
}
