# Everything wrong with the files, each a line that names file, key, what was found, what is allowed.
#
# What Terraform cannot see, because its YAML reader has thrown it away or it has no list to look in:
# a key that stands twice (the last one counts here), a whole number written as 5.0, `forecast: false`
# for `forecast: off`, the name of a time zone that does not exist. `weir validate` sees them, and the
# controller, which keeps the last good policy in force, does.
#
# What Terraform refuses and `weir validate` does not: a queue by `url`, names of queues that leave no
# room for -dlq, words that YAML 1.1 takes for a yes or no and that are not in quotes, tags of an
# application (!one), two files that
# scale the same group or service.

locals {
  mapping_problems = flatten([for m in local.mappings : concat(
    [for key in keys(jsondecode(m.json)) : "${m.file}: ${m.where}${key} is an unknown key, allowed are ${join(", ", keys(local.keys[m.keys]))}"
    if !contains(keys(local.keys[m.keys]), key)],
    [for key, rule in local.keys[m.keys] : "${m.file}: ${m.where}${key} is missing, must be ${rule.allowed}"
    if try(rule.required, false) && !contains(keys(jsondecode(m.json)), key)],
    m.keys != "own_objective" || length(keys(jsondecode(m.json))) > 0 ? [] : ["${m.file}: ${trimsuffix(m.where, ".")} is empty, must have start_within, percentile or both"],
    m.keys != "queue" || can(jsondecode(m.json).name) != can(jsondecode(m.json).url) ? [] : ["${m.file}: ${trimsuffix(m.where, ".")} must have a name, and no url"],
    m.keys != "fleet" || can(jsondecode(m.json).auto_scaling_group) != can(jsondecode(m.json).ecs_service) ? [] : ["${m.file}: fleet must have either auto_scaling_group or ecs_service"],
  )])

  item_problems = flatten([for file, p in local.raw : [for list in ["queues", "schedule"] : concat(
    [for i, item in try(flatten([p[list]]), []) : "${file}: ${list}[${i}] is ${jsonencode(item)}, must be a mapping" if can(regex("^\\[", jsonencode(p[list]))) && !try(startswith(jsonencode(item), "{"), false)],
  )]])

  # What two values must be to each other; each is looked at only where both can be read.
  between_problems = flatten([for file, p in local.raw : concat(
    try(p.fleet.min > p.fleet.max, false) ? ["${file}: fleet.min is ${p.fleet.min}, must be 0 to fleet.max (${p.fleet.max})"] : [],
    try(length(p.queues) == 0 || length(p.queues) > 20, false) ? ["${file}: queues has ${length(p.queues)}, must have 1 to 20"] : [],
    try(length(distinct(p.queues[*].name)) < length(p.queues[*].name), false) ? ["${file}: queues names a queue twice: ${join(", ", p.queues[*].name)}"] : [],
    try(p.actuate == "target_tracking" && can(p.fleet.ecs_service), false) ? ["${file}: actuate is target_tracking, must be desired_capacity with an ecs_service"] : [],
    try(p.budget.instance_hours_per_day < try(p.fleet.min, 0) * 24, false) ? ["${file}: budget.instance_hours_per_day is ${p.budget.instance_hours_per_day}, must be at least ${p.fleet.min * 24}: fleet.min alone uses that"] : [],
    [for i, window in try(flatten([p.schedule]), []) : "${file}: schedule[${i}].min is ${window.min}, must be 0 to fleet.max (${p.fleet.max})" if try(window.min > p.fleet.max, false)],
    [for i, queue in try(flatten([p.queues]), []) : "${file}: queues[${i}].max_receive_count is ${queue.max_receive_count}, must be above the worker's ${try(p.worker.max_attempts, 5)} attempts" if try(queue.max_receive_count <= try(p.worker.max_attempts, 5), false)],
  )])

  files_by_name   = { for file, p in local.read : p.name => file... if p.name != null }
  files_by_target = { for file, p in local.read : p.target => file... if p.target != null }

  problems = concat(
    length(local.texts) == 0 ? ["no *.yaml in it; give the folder that holds the scaling policies, as seen from where terraform runs"] : [],
    [for file in keys(local.texts) : "${file}: it is not one YAML document of finite numbers" if local.raw[file] == null],
    [for file, p in local.raw : "${file}: it is ${jsonencode(p)}, must be a mapping" if p != null && !try(startswith(jsonencode(p), "{"), false)],
    local.mapping_problems,
    local.item_problems,
    [for v in local.wrong : "${v.file}: ${v.key} is ${v.json}, must be ${v.rule.allowed}"],
    local.between_problems,
    [for name, files in local.files_by_name : "${join(" and ", files)}: both are named ${name}; each fleet needs a name of its own" if length(files) > 1],
    [for target, files in local.files_by_target : "${join(" and ", files)}: both scale ${target}; each fleet needs a group or service of its own" if length(files) > 1],
  )
}
