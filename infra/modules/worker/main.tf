# What a worker is told and what it may do, wherever it runs. Makes nothing: the modules of fleets
# do, on EC2 or on Fargate.

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # A policy's weights may have three decimals, the worker's are whole: what counts is how they
  # compare.
  weight_unit = alltrue([for queue in var.queues : floor(coalesce(queue.weight, 1)) == coalesce(queue.weight, 1)]) ? 1 : 1000

  # As `weir-worker run --help` has it: queues parted by semicolons, a queue's options by commas.
  queues = [for queue in var.queues : join(",", concat(
    [queue.name],
    queue.weight == null && local.weight_unit == 1 ? [] : ["weight=${floor(coalesce(queue.weight, 1) * local.weight_unit)}"],
    queue.priority == null ? [] : ["priority=${queue.priority}"],
  ))]

  # What is null is left out: then the worker's own default holds, or the settings file's value.
  told = {
    AWS_REGION              = data.aws_region.current.name
    WEIR_EXEC               = var.exec
    WEIR_FLEET              = var.name
    WEIR_HTTP               = var.http
    WEIR_JOBS_TABLE         = var.jobs_table.name
    WEIR_JOB_TIMEOUT        = "${var.job_timeout_seconds}s"
    WEIR_MAX_ATTEMPTS       = try(tostring(var.max_attempts), null)
    WEIR_PAYLOAD_BUCKET     = try(var.payload_bucket.name, null)
    WEIR_QUEUE              = join(";", local.queues)
    WEIR_SLOTS              = try(tostring(var.slots), null)
    WEIR_STATE_TABLE        = var.state_table.name
    WEIR_VISIBILITY_TIMEOUT = "${var.visibility_timeout_seconds}s"
  }

  environment = merge({ for name, value in local.told : name => value if value != null }, var.environment)
}
