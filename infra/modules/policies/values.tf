# Every mapping of every file, every value in them, and whether each is what its key may hold.

locals {
  # As JSON, for mappings differ in shape; `where` begins the keys' paths.
  mappings = flatten([for file, p in local.raw : concat(
    [for policy in [p] : { file = file, keys = "policy", where = "", json = jsonencode(policy) } if startswith(jsonencode(policy), "{")],
    [for key in ["fleet", "objective", "worker", "scale_out", "scale_in", "budget"] :
    { file = file, keys = key, where = "${key}.", json = jsonencode(p[key]) } if try(startswith(jsonencode(p[key]), "{"), false)],
    [for i, queue in try(flatten([p.queues]), []) :
    { file = file, keys = "queue", where = "queues[${i}].", json = jsonencode(queue) } if try(startswith(jsonencode(queue), "{"), false)],
    [for i, queue in try(flatten([p.queues]), []) :
    { file = file, keys = "own_objective", where = "queues[${i}].objective.", json = jsonencode(queue.objective) } if try(startswith(jsonencode(queue.objective), "{"), false)],
    [for i, window in try(flatten([p.schedule]), []) :
    { file = file, keys = "window", where = "schedule[${i}].", json = jsonencode(window) } if try(startswith(jsonencode(window), "{"), false)],
  )])

  # A value's kind shows in its JSON; `text` is null for what is not text.
  values = flatten([for m in local.mappings : [for key, value in jsondecode(m.json) : {
    file = m.file
    key  = "${m.where}${key}"
    rule = merge({ from = 0, to = 0, pattern = "^$" }, local.keys[m.keys][key])
    json = jsonencode(value)
    text = try(regex("^\"", jsonencode(value)) == "\"" ? tostring(value) : null, null)
  } if contains(keys(local.keys[m.keys]), key)]])

  numbers = { for json in distinct(local.values[*].json) : json => tonumber(json) if can(regex("^-?[0-9.]+(e[+-]?[0-9]+)?$", json)) }

  wrong = [for v in local.values : v if !{
    text     = can(regex(v.rule.pattern, v.text))
    never    = false
    list     = startswith(v.json, "[")
    mapping  = startswith(v.json, "{")
    number   = try(local.numbers[v.json] >= v.rule.from && local.numbers[v.json] <= v.rule.to, false)
    whole    = try(floor(local.numbers[v.json]) == local.numbers[v.json] && local.numbers[v.json] >= v.rule.from && local.numbers[v.json] <= v.rule.to, false)
    positive = try(local.numbers[v.json] > 0, false)
    share    = try(local.numbers[v.json] > 0 && local.numbers[v.json] < 100, false)
    duration = try(local.durations[v.text] >= v.rule.from && local.durations[v.text] <= v.rule.to, false)
    hold     = v.text == "auto" || try(local.durations[v.text] >= v.rule.from && local.durations[v.text] <= v.rule.to, false)
    cron     = try(contains(local.good_crons, v.text), false)
    forecast = v.text == "auto" || v.text == "off" || v.json == "false" # Terraform reads a bare off as false
    step = v.text == "unlimited" || can(regex("^[1-9][0-9]*$", v.json)) || try(
    tonumber(trimspace(trimsuffix(v.text, "%"))) > 0 && endswith(v.text, "%"), false)
  }[v.rule.kind]]
}
