################################################################################
# What the policy says
################################################################################

variable "max_attempts" {
  description = "Attempts after which a job is given up, 1 to 1000. Null: the worker's default."
  type        = number
  default     = null

  validation {
    condition     = try(var.max_attempts >= 1 && var.max_attempts <= 1000 && floor(var.max_attempts) == var.max_attempts, var.max_attempts == null)
    error_message = "max_attempts is ${coalesce(var.max_attempts, 0)}: give a whole number from 1 to 1000, or null for the worker's default."
  }
}

variable "name" {
  description = "The fleet's name, which is its policy's."
  type        = string
}

variable "queues" {
  description = "The queues it serves: name, ARN and the dead-letter queue's ARN of each; weight, from 0.001, its share of the slots among queues of one priority; priority, 0 is served first. Null: the worker's default."
  type = list(object({
    name            = string
    arn             = string
    dead_letter_arn = string
    weight          = optional(number)
    priority        = optional(number)
  }))

  validation {
    condition     = length(var.queues) > 0
    error_message = "queues is empty: a worker serves at least one queue."
  }

  validation {
    condition     = alltrue([for queue in var.queues : coalesce(queue.weight, 1) >= 0.001])
    error_message = "queues has weights ${join(", ", [for queue in var.queues : coalesce(queue.weight, 1)])}: give 0.001 or more."
  }
}

variable "slots" {
  description = "Jobs a worker runs at a time. Null: the worker's default."
  type        = number
  default     = null
}

variable "visibility_timeout_seconds" {
  description = "For how long the worker hides a message and renews it, in seconds: 2 to 43200."
  type        = number

  validation {
    condition     = var.visibility_timeout_seconds >= 2 && var.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds is ${var.visibility_timeout_seconds}: give 2 (what the worker can renew in time) to 43200 (12 hours, SQS's most)."
  }
}

################################################################################
# How it works
################################################################################

variable "environment" {
  description = "More environment variables, by name, for the handler; one named like the worker's own takes its place."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.environment : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !strcontains(value, "\n")])
    error_message = "environment holds ${join(", ", keys(var.environment))}: names are letters, digits and underscores, values are one line each."
  }
}

variable "exec" {
  description = "The command that does a job. Null: `http`, or a handler built into the worker."
  type        = string
  default     = null

  validation {
    condition     = !strcontains(coalesce(var.exec, "-"), "\n")
    error_message = "exec has several lines: give one command, or put a script beside the worker."
  }
}

variable "http" {
  description = "URL of the service that does jobs, http://HOST[:PORT]/PATH. Null: `exec`, or a handler built into the worker."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^http://[^/[:space:]]+(/[^[:space:]]*)?$", coalesce(var.http, "http://-/")))
    error_message = "http is \"${coalesce(var.http, "null")}\": give http://HOST[:PORT]/PATH of a service on the same machine or in its network."
  }

  validation {
    condition     = var.http == null || var.exec == null
    error_message = "exec is \"${coalesce(var.exec, "null")}\" and http is \"${coalesce(var.http, "null")}\": a worker has one handler, give one of them or, for a handler of its own, none."
  }
}

variable "job_timeout_seconds" {
  description = "The longest a job may run, in seconds: 1 to 43140, SQS's 12 hours less a minute to settle."
  type        = number

  validation {
    condition     = var.job_timeout_seconds >= 1 && var.job_timeout_seconds <= 43140
    error_message = "job_timeout_seconds is ${var.job_timeout_seconds}: give 1 to 43140, for SQS hides no message longer than 12 hours."
  }
}

################################################################################
# Around it
################################################################################

variable "jobs_table" {
  description = "Name and ARN of the jobs table."
  type        = object({ name = string, arn = string })
}

variable "kms_key_arn" {
  description = "The customer's key that queues, tables and payloads are encrypted with. Null: AWS's keys."
  type        = string
  default     = null
}

variable "payload_bucket" {
  description = "Name and ARN of the bucket for bodies that are too large for SQS. Null: none."
  type        = object({ name = string, arn = string })
  default     = null
}

variable "state_table" {
  description = "Name and ARN of the state table."
  type        = object({ name = string, arn = string })
}
