################################################################################
# What it runs on
################################################################################

variable "architecture" {
  description = "What the artifact or the image is built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\": give x86_64 or arm64."
  }
}

variable "artifact" {
  description = "For lambda: where the .zip with `bootstrap` in it lies in S3, in this region, and its SHA-256, 64 hex digits."
  type = object({
    bucket = string
    key    = string
    sha256 = string
  })
  default = null

  validation {
    condition     = var.runtime != "lambda" || var.artifact != null
    error_message = "artifact is null, but runtime = \"lambda\" needs the controller's .zip: give its bucket, key and sha256, or choose another runtime."
  }

  validation {
    condition     = var.artifact == null || can(regex("^[0-9a-f]{64}$", var.artifact.sha256))
    error_message = "The controller artifact's sha256 is \"${try(var.artifact.sha256, "null")}\": give the 64 hex digits that `sha256sum` prints for the file."
  }
}

variable "assign_public_ip" {
  description = "For ecs: whether tasks get public addresses."
  type        = bool
  default     = false
}

variable "egress" {
  description = "For ecs: what tasks may reach over HTTPS, a security group and prefix lists by service. Null: anything, for AWS's endpoints have no fixed addresses."
  type        = object({ security_group_id = string, prefix_list_ids = map(string) })
  default     = null
}

variable "enabled" {
  description = "Whether the schedule runs. Where systemd runs it, only the host can stop it: systemctl disable --now weir.timer."
  type        = bool
  default     = true
}

variable "image" {
  description = "For ecs: container image, with tag or digest."
  type        = string
  default     = null

  validation {
    condition     = var.runtime != "ecs" || var.image != null
    error_message = "image is null, but runtime = \"ecs\" needs the controller's image: give image:tag or image@sha256:digest, or choose another runtime."
  }
}

variable "reserved_concurrency" {
  description = "For lambda: how many may run at a time, reserved out of the account's concurrency: 1, or -1 to reserve none. AWS refuses a reservation that leaves the account too little, as in a new account whose quota is 10; the lease in the state table lets one act all the same."
  type        = number
  default     = 1

  validation {
    condition     = contains([-1, 1], var.reserved_concurrency)
    error_message = "reserved_concurrency is ${var.reserved_concurrency}: give 1, or -1 to reserve none."
  }
}

variable "runtime" {
  description = "What runs it: lambda, ecs (a Fargate task a minute) or systemd (a timer on a host of yours)."
  type        = string
  default     = "lambda"

  validation {
    condition     = contains(["lambda", "ecs", "systemd"], var.runtime)
    error_message = "runtime is \"${var.runtime}\": give lambda, ecs or systemd."
  }
}

variable "subnet_ids" {
  description = "For ecs: subnets to run in, of one VPC."
  type        = list(string)
  default     = []

  validation {
    condition     = var.runtime != "ecs" || length(var.subnet_ids) > 0
    error_message = "subnet_ids is empty, but runtime = \"ecs\" runs tasks in subnets: give at least one."
  }
}

variable "tracing" {
  description = "For lambda: whether X-Ray traces it."
  type        = bool
  default     = false
}

variable "vpc_id" {
  description = "For ecs: the subnets' VPC."
  type        = string
  default     = null
}

################################################################################
# What it works on
################################################################################

variable "fleets" {
  description = "By name: how it acts, the ARNs of its queues, and either the pattern of its group's ARN or its ECS service."
  type = map(object({
    actuate     = string
    queue_arns  = list(string)
    group_arn   = optional(string)
    ecs_service = optional(object({ cluster = string, service = string }))
  }))

  validation {
    condition     = alltrue([for fleet in var.fleets : (fleet.group_arn == null) != (fleet.ecs_service == null)])
    error_message = "fleets holds ${join(", ", [for name, fleet in var.fleets : name if(fleet.group_arn == null) == (fleet.ecs_service == null)])}, which must have either group_arn or ecs_service."
  }
}

variable "policies" {
  description = "Where the policies are, each an object NAME.yaml: bucket, prefix (ending in a slash), and both as s3://BUCKET/PREFIX/."
  type        = object({ bucket = string, prefix = string, url = string })
}

variable "state_table" {
  description = "Name and ARN of the state table."
  type        = object({ name = string, arn = string })
}

################################################################################
# Names, logs, rules of the house
################################################################################

variable "kms_key_arn" {
  description = "Customer key for log, schedule, function variables and dead letters, and what table and bucket are encrypted with; its policy must let CloudWatch Logs use it. Null: AWS's keys."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", coalesce(var.kms_key_arn, "arn:aws:kms:eu-west-1:000000000000:key/-")))
    error_message = "kms_key_arn is \"${coalesce(var.kms_key_arn, "null")}\": give a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, not an alias; or null."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept, in days: one of the periods CloudWatch Logs offers, from 1 to 3653."
  type        = number
  default     = 30
}

variable "name_prefix" {
  description = "Begins the names of all that is made here, as in PREFIX-controller."
  type        = string
  default     = "weir"
}

variable "permissions_boundary_arn" {
  description = "Managed policy that bounds every role made here. Null: none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags on all that is made here."
  type        = map(string)
  default     = {}
}
