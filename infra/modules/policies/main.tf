# Reads scaling policies: the one place where YAML becomes Terraform values.
#
# keys.tf says what a policy may hold, problems.tf lists whatever is not so, and nothing is planned
# from a folder with a problem.

locals {
  texts = { for file in fileset(var.folder, "*.yaml") : file => file("${var.folder}/${file}") }
  # By way of JSON, which has no infinite numbers: no policy has either.
  raw = { for file, text in local.texts : file => try(jsondecode(jsonencode(yamldecode(text))), null) }

  # By file, what Terraform builds from it; null where the policy is silent: then the default of
  # whatever it is for holds, not a copy of it.
  read = { for file, p in local.raw : file => {
    file        = file
    text        = local.texts[file]
    name        = try(tostring(p.name), null)
    group       = try(tostring(p.fleet.auto_scaling_group), null)
    ecs_service = try({ cluster = split("/", p.fleet.ecs_service)[0], service = split("/", p.fleet.ecs_service)[1] }, null)
    target      = try(tostring(p.fleet.auto_scaling_group), tostring(p.fleet.ecs_service), null)
    min_size    = try(tonumber(p.fleet.min), 0)
    max_size    = try(tonumber(p.fleet.max), null)
    actuate     = try(tostring(p.actuate), "desired_capacity")

    queues = try([for q in p.queues : {
      name               = tostring(q.name)
      weight             = try(tonumber(q.weight), null)
      priority           = try(tonumber(q.priority), null)
      visibility_seconds = try(local.durations[q.visibility_timeout], null)
      max_receive_count  = try(tonumber(q.max_receive_count), null)
    }], [])

    has_budget           = can(p.budget.instance_hours_per_day)
    boot_seconds         = try(local.durations[p.worker.boot_time], null)
    max_attempts         = try(tonumber(p.worker.max_attempts), null)
    service_seconds      = try(local.durations[p.worker.service_time], null)
    slots                = try(tonumber(p.worker.slots), null)
    start_within_seconds = try(local.durations[p.objective.start_within], null)
  } }

  by_name = { for name, files in local.files_by_name : name => local.read[files[0]] }
}
