# Reads scaling policies: the one place where YAML becomes Terraform values.
#
# It checks only what Terraform builds from, so that a plan never rests on a broken file;
# `weir validate` knows every rule, with line and column.

locals {
  texts = { for file in fileset(var.folder, "*.yaml") : file => file("${var.folder}/${file}") }
  raw   = { for file, text in local.texts : file => try(yamldecode(text), null) }

  # By file, what Terraform builds from it; whatever is missing or of the wrong kind is null here
  # and named under `problems`.
  read = { for file, p in local.raw : file => {
    file        = file
    text        = local.texts[file]
    version     = try(tonumber(p.version), null)
    name        = try(regex("^[A-Za-z0-9_-]{1,40}$", p.name), null)
    group       = try(regex("^[^:]{1,255}$", p.fleet.auto_scaling_group), null)
    ecs_service = try(regex("^(?P<cluster>[A-Za-z0-9_-]{1,255})/(?P<service>[A-Za-z0-9_-]{1,255})$", p.fleet.ecs_service), null)
    min_size    = try(p.fleet.min >= 0 && floor(p.fleet.min) == p.fleet.min ? tonumber(p.fleet.min) : null, can(p.fleet.min) ? null : 0)
    max_size    = try(p.fleet.max >= try(p.fleet.min, 0) && floor(p.fleet.max) == p.fleet.max ? tonumber(p.fleet.max) : null, null)

    # 80 characters are SQS's most, and the dead-letter queue's name has four more: NAME-dlq,
    # NAME-dlq.fifo.
    queues = try([for q in p.queues : {
      name               = regex("^(?:[a-zA-Z0-9_-]{1,76}|[a-zA-Z0-9_-]{1,71}[.]fifo)$", can(q.url) ? "" : q.name)
      weight             = try(tonumber(q.weight), null)
      priority           = try(tonumber(q.priority), null)
      visibility_seconds = try(sum([for m in regexall(local.duration, q.visibility_timeout) : m[0] * local.unit_seconds[m[1]]]), null)
      max_receive_count  = try(tonumber(q.max_receive_count), null)
    }], [])

    actuate = try(tostring(p.actuate), "desired_capacity")
    # Null where the policy is silent: then the worker's own default holds, not a copy of it.
    max_attempts    = try(tonumber(p.worker.max_attempts), null)
    slots           = try(tonumber(p.worker.slots), null)
    service_seconds = try(sum([for m in regexall(local.duration, p.worker.service_time) : m[0] * local.unit_seconds[m[1]]]), null)
    boot_seconds    = try(sum([for m in regexall(local.duration, p.worker.boot_time) : m[0] * local.unit_seconds[m[1]]]), null)
  } }

  # "90s", "1m30s", "1h 30min", "250 ms": a unit is told by how it begins.
  duration     = "([0-9]+(?:[.][0-9]+)?)\\s*(ms|mil|s|m|h|d)[a-z]*"
  unit_seconds = { ms = 0.001, mil = 0.001, s = 1, m = 60, h = 3600, d = 86400 }

  files_by_name = { for file, p in local.read : p.name => file... if p.name != null }
  files_by_target = { for file, p in local.read :
    p.group != null ? p.group : "${p.ecs_service.cluster}/${p.ecs_service.service}" => file... if p.group != null || p.ecs_service != null
  }

  problems = concat(
    length(local.texts) == 0 ? ["no *.yaml in it; give the folder that holds the scaling policies, as seen from where terraform runs"] : [],
    [for file, p in local.raw : "${file}: it is not YAML" if p == null],
    flatten([for file, p in local.read : [for problem in [
      p.version == 1 ? "" : "version is ${try(jsonencode(local.raw[file].version), "missing")}, must be 1",
      p.name != null ? "" : "name is ${try(jsonencode(local.raw[file].name), "missing")}, must be 1 to 40 letters, digits, hyphens and underscores",
      (p.group == null) != (p.ecs_service == null) ? "" : "fleet is ${try(jsonencode(local.raw[file].fleet), "missing")}, must have either auto_scaling_group, a name of 1 to 255 characters without a colon, or ecs_service, CLUSTER/SERVICE",
      p.min_size != null ? "" : "fleet.min is ${try(jsonencode(local.raw[file].fleet.min), "missing")}, must be a whole number from 0",
      p.max_size != null ? "" : "fleet.max is ${try(jsonencode(local.raw[file].fleet.max), "missing")}, must be a whole number, not below fleet.min",
      length(p.queues) > 0 ? "" : "queues is ${try(jsonencode(local.raw[file].queues), "missing")}, must be a list of `name: …`, each 1 to 76 letters, digits, hyphens and underscores (a queue made elsewhere, `url: …`, has no place in this configuration)",
    ] : "${file}: ${problem}" if problem != ""] if local.raw[file] != null]),
    [for name, files in local.files_by_name : "${join(" and ", files)}: both are named ${name}; each fleet needs a name of its own" if length(files) > 1],
    [for target, files in local.files_by_target : "${join(" and ", files)}: both scale ${target}; each fleet needs a group or service of its own" if length(files) > 1],
  )

  by_name = { for name, files in local.files_by_name : name => local.read[files[0]] }
}
