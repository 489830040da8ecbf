################################################################################
# What the policy says
################################################################################

variable "boot_seconds" {
  description = "From launch to the first job, in seconds, by the policy's guess. Null: unknown."
  type        = number
}

variable "group_name" {
  description = "Name of the Auto Scaling group."
  type        = string
}

variable "max_size" {
  description = "Most instances."
  type        = number

  validation {
    condition     = var.max_size >= var.min_size
    error_message = "max_size is ${var.max_size}, below min_size ${var.min_size}."
  }
}

variable "min_size" {
  description = "Fewest instances, from 0."
  type        = number

  validation {
    condition     = var.min_size >= 0
    error_message = "min_size is ${var.min_size}: give 0 or more."
  }
}

variable "name" {
  description = "The fleet's name, which is its policy's."
  type        = string
}

################################################################################
# The worker
################################################################################

variable "artifact" {
  description = "The worker's .tar.gz in S3, `weir-worker` at its top, and its SHA-256."
  type = object({
    bucket = string
    key    = string
    sha256 = string
  })

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.artifact.sha256))
    error_message = "The worker artifact's sha256 is \"${var.artifact.sha256}\": give the 64 hex digits that `sha256sum` prints for the file."
  }

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifact.bucket)) && can(regex("^[a-zA-Z0-9._/+=@-]+[.]tar[.]gz$", var.artifact.key))
    error_message = "The worker artifact is s3://${var.artifact.bucket}/${var.artifact.key}: give a bucket's name and the key of a .tar.gz in it, of letters, digits and ._/+=@-."
  }
}

variable "environment" {
  description = "The worker's environment variables, by name, values of one line each; where it runs is added here."
  type        = map(string)
}

variable "job_timeout_seconds" {
  description = "The longest a job may run, in seconds: how long a leaving instance is held for a worker that says nothing."
  type        = number
}

variable "memory_max" {
  description = "The most memory that the worker and its handlers may take, as systemd's MemoryMax has it: a share such as 90%, or bytes such as 3G. Null: no limit."
  type        = string
  default     = "90%"

  validation {
    condition     = can(regex("^([0-9]+[KMGT]?|[1-9][0-9]?%|100%)$", coalesce(var.memory_max, "100%")))
    error_message = "memory_max is \"${coalesce(var.memory_max, "null")}\": give a share of the machine's memory, such as 90%, bytes, such as 3G, or null."
  }
}

variable "settings" {
  description = "More settings for the worker: the text of its YAML file. What `environment` says goes before it. Null: no file."
  type        = string
  default     = null

  validation {
    condition     = can(yamldecode(coalesce(var.settings, "{}"))) && !contains(split("\n", coalesce(var.settings, "-")), "WEIR_END")
    error_message = "settings is not YAML, or has a line WEIR_END: give the text of the worker's settings file, such as file(\"worker.yaml\")."
  }
}

variable "unit_options" {
  description = "More lines for the [Service] section of the worker's systemd unit, for what a handler needs that the unit denies, such as PrivateDevices=no for a GPU. The last line of a name counts."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for line in var.unit_options : can(regex("^[A-Z][A-Za-z]*=[^\n]*$", line))])
    error_message = "unit_options is ${jsonencode(var.unit_options)}: give lines such as PrivateDevices=no."
  }
}

variable "worker_policy" {
  description = "IAM policy document, JSON: what every worker of the fleet may do."
  type        = string
}

################################################################################
# The instances
################################################################################

variable "image_id" {
  description = "An AMI with systemd 249 or later, cloud-init, AWS CLI, curl and tar; ami-… or resolve:ssm:PARAMETER. Null: the newest Amazon Linux 2023 at each launch."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^(ami-[0-9a-f]+|resolve:ssm:.+)$", coalesce(var.image_id, "ami-0")))
    error_message = "image_id is \"${coalesce(var.image_id, "null")}\": give ami-…, resolve:ssm:PARAMETER, or null for the newest Amazon Linux 2023."
  }
}

variable "instance_refresh" {
  description = "How running instances give way to a new launch template, such as a new worker: min_healthy_percentage, 0 to 100, is how much of the size stays in service meanwhile. Null: they do not; what is launched from then on is new."
  type        = object({ min_healthy_percentage = optional(number, 90) })
  default     = {}

  validation {
    condition     = try(var.instance_refresh.min_healthy_percentage >= 0 && var.instance_refresh.min_healthy_percentage <= 100, var.instance_refresh == null)
    error_message = "instance_refresh.min_healthy_percentage is ${try(var.instance_refresh.min_healthy_percentage, 0)}: give 0 to 100."
  }
}

variable "instance_types" {
  description = "EC2 instance types of one architecture, the preferred one first, such as [\"c7i.large\", \"c6i.large\"]. Each counts as one instance, whatever its size: the controller counts instances, so there are no weights."
  type        = list(string)

  validation {
    condition     = length(var.instance_types) >= 1 && length(var.instance_types) <= 40 && alltrue([for type in var.instance_types : can(regex("^[a-z][a-z0-9-]*[.][a-z0-9-]+$", type))])
    error_message = "instance_types is ${jsonencode(var.instance_types)}: give 1 to 40 types such as c7i.large."
  }

  validation {
    condition     = length(distinct(var.instance_types)) == length(var.instance_types)
    error_message = "instance_types is ${jsonencode(var.instance_types)}: name each type once."
  }
}

variable "spot" {
  description = "Spot instances. on_demand_base: the first so many are on demand, 0 or more; on_demand_percentage: of what is beyond, 0 to 99; allocation_strategy: price-capacity-optimized, or capacity-optimized-prioritized for the types in their order. Null: all on demand."
  type = object({
    on_demand_base       = optional(number, 0)
    on_demand_percentage = optional(number, 0)
    allocation_strategy  = optional(string, "price-capacity-optimized")
  })
  default = null

  validation {
    condition     = try(var.spot.on_demand_base >= 0 && floor(var.spot.on_demand_base) == var.spot.on_demand_base, var.spot == null)
    error_message = "spot.on_demand_base is ${try(var.spot.on_demand_base, 0)}: give a whole number from 0."
  }

  validation {
    condition     = try(var.spot.on_demand_percentage >= 0 && var.spot.on_demand_percentage <= 99 && floor(var.spot.on_demand_percentage) == var.spot.on_demand_percentage, var.spot == null)
    error_message = "spot.on_demand_percentage is ${try(var.spot.on_demand_percentage, 0)}: give a whole number from 0 to 99, or spot = null for all on demand."
  }

  validation {
    condition     = try(contains(["price-capacity-optimized", "capacity-optimized-prioritized"], var.spot.allocation_strategy), var.spot == null)
    error_message = "spot.allocation_strategy is \"${try(var.spot.allocation_strategy, "null")}\": give price-capacity-optimized or capacity-optimized-prioritized. lowest-price takes the instances that are taken back the soonest."
  }
}

variable "volume_gib" {
  description = "Root volume in GiB: 8 to 16384. A hibernated warm pool keeps the memory there as well."
  type        = number
  default     = 8

  validation {
    condition     = var.volume_gib >= 8 && var.volume_gib <= 16384
    error_message = "volume_gib is ${var.volume_gib}: give 8 (Amazon Linux's image) to 16384 (gp3's most)."
  }
}

variable "warm_pool" {
  description = "Instances kept prepared. state: Stopped, Hibernated or Running; min_size: at least so many, 0 or more; max_prepared: at most so many in pool and group together, null for the group's max. Null: no pool."
  type = object({
    state        = optional(string, "Stopped")
    min_size     = optional(number, 0)
    max_prepared = optional(number)
  })
  default = null

  validation {
    condition     = try(contains(["Stopped", "Hibernated", "Running"], var.warm_pool.state), var.warm_pool == null)
    error_message = "warm_pool.state is \"${try(var.warm_pool.state, "null")}\": give Stopped, Hibernated or Running."
  }

  validation {
    condition     = try(var.warm_pool.min_size >= 0 && floor(var.warm_pool.min_size) == var.warm_pool.min_size, var.warm_pool == null)
    error_message = "warm_pool.min_size is ${try(var.warm_pool.min_size, 0)}: give a whole number from 0."
  }

  validation {
    condition     = try(var.warm_pool.max_prepared >= 0, true)
    error_message = "warm_pool.max_prepared is ${coalesce(try(var.warm_pool.max_prepared, null), 0)}: give 0 or more, or null for the group's max."
  }
}

################################################################################
# Around it
################################################################################

variable "assign_public_ip" {
  description = "Whether instances get public addresses."
  type        = bool
  default     = false
}

variable "force_delete" {
  description = "Whether the group may be deleted with the instances that it still has, without waiting for their drain. False: deleting it waits until the controller has emptied it, ten minutes at most."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "The customer's key for volumes and the artifact; its policy must let the role AWSServiceRoleForAutoScaling use it and make grants for AWS resources, or no instance starts. Null: AWS's keys."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Begins the names of roles and templates."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "IAM policy that bounds the workers' role. Null: none."
  type        = string
  default     = null
}

variable "policy_arns" {
  description = "More IAM policies for the workers' role: what the handler itself needs."
  type        = list(string)
  default     = []
}

variable "subnet_ids" {
  description = "Subnets to launch in, of one VPC."
  type        = list(string)
}

variable "tags" {
  description = "Tags on the group, on what it launches and on all around it."
  type        = map(string)
}

variable "vpc_id" {
  description = "The subnets' VPC."
  type        = string
}
