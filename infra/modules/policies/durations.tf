# Durations as `weir` reads them: "90s", "1m 30s", "2 hours, 30 min", "00:01:30", "PT1M30S".

locals {
  # Units in falling order, each at most once.
  friendly = join("(?:,?\\s+)?", [for unit in [
    "hours?|hrs?|h", "minutes?|mins?|m", "seconds?|secs?|s",
    "milliseconds?|millis?|msecs?|ms", "microseconds?|micros?|[uµ]secs?|[uµ]s", "nanoseconds?|nanos?|nsecs?|ns",
  ] : "(?:([0-9]+(?:[.,][0-9]{1,9})?)\\s*(?:${unit}))?"])

  # By text, how many of each unit; null where it is no duration. A fraction may only stand last.
  duration_parts = { for text in distinct([for v in local.values : v.text if v.text != null]) : text => try(
    regex("^[+]?${local.friendly}$", can(regex("[0-9]", text)) && !can(regex("[.,][0-9]+\\s*[a-zµ]+[,\\s]*[0-9]", text)) ? trimspace(text) : "none"),
    regex("^([0-9]+):([0-9]+):([0-9]+(?:[.,][0-9]{1,9})?)$", trimspace(text)),
    can(regex("[0-9]", text)) ? regex("^(?i:PT(?:([0-9]+(?:[.,][0-9]{1,9})?)H)?(?:([0-9]+(?:[.,][0-9]{1,9})?)M)?(?:([0-9]+(?:[.,][0-9]{1,9})?)S)?)$", trimspace(text)) : null,
    null,
  ) }
  unit_seconds = [3600, 60, 1, 0.001, 0.000001, 0.000000001]

  # By text, in seconds.
  durations = { for text, parts in local.duration_parts : text =>
    sum([for i, part in parts : part == null ? 0 : tonumber(replace(part, ",", ".")) * local.unit_seconds[i]]) if parts != null
  }
}
