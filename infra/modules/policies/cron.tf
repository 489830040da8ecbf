# Cron expressions of five fields as `weir` reads them, with names of months and weekdays.

locals {
  cron_shorthands = {
    "@YEARLY" = "0 0 1 1 *", "@ANNUALLY" = "0 0 1 1 *", "@MONTHLY" = "0 0 1 * *"
    "@WEEKLY" = "0 0 * * SUN", "@DAILY" = "0 0 * * *", "@HOURLY" = "0 * * * *"
  }
  cron_names = merge(
    { for i, name in ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] : "4${name}" => i },
    { for i, name in ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"] : "3${name}" => i + 1 },
  )
  # Minute, hour, day of the month, month, day of the week; `special` beside numbers, ranges and steps.
  cron_fields = [
    { from = 0, to = 59, special = "^$" },
    { from = 0, to = 23, special = "^$" },
    { from = 1, to = 31, special = "^([?]|L|LW|([1-9]|[12][0-9]|3[01])W)$" },
    { from = 1, to = 12, special = "^$" },
    { from = 0, to = 7, special = "^([?]|L|([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#L|#[1-5]))$" },
  ]

  # By text, its fields.
  crons = { for text in distinct([for v in local.values : v.text if v.rule.kind == "cron" && v.text != null]) : text =>
    split(" ", replace(trimspace(lookup(local.cron_shorthands, upper(trimspace(text)), upper(text))), "/\\s+/", " "))
  }

  # A part of a field is *, a number, a range from low to high, or one of these two by a step.
  cron_parts = { for text, fields in local.crons : text => flatten([for i, field in fields : [for part in split(",", i == 4 ? trimprefix(field, "+") : field) : {
    field = i
    text  = part
    bounds = try([for bound in compact(split("-", split("/", part)[0])) :
      bound == "SUN" && strcontains(part, "-SUN") ? 7 : lookup(local.cron_names, "${i}${bound}", can(regex("^[0-9]+$", bound)) ? tonumber(bound) : -1)
    ], [-1])
  } if part != ""] if i < 5]) }

  good_crons = toset([for text, parts in local.cron_parts : text if length(local.crons[text]) == 5 && alltrue([for part in parts :
    can(regex("^[*](/0*[1-9][0-9]*)?$", part.text)) && (part.text != "*" || local.crons[text][part.field] == "*" || trimprefix(local.crons[text][part.field], "+") == "*")
    || can(regex(local.cron_fields[part.field].special, part.text))
    || can(regex("^[0-9A-Z]+(-[0-9A-Z]+(/0*[1-9][0-9]*)?)?$", part.text)) && try(
      part.bounds[0] >= local.cron_fields[part.field].from
      && part.bounds[length(part.bounds) - 1] <= local.cron_fields[part.field].to
      && part.bounds[0] <= part.bounds[length(part.bounds) - 1]
      && length(part.bounds) == (strcontains(part.text, "-") ? 2 : 1),
      false,
    )
  ])])
}
