################################################################################
# Where and under which names
################################################################################

variable "region" {
  description = "AWS region, such as eu-west-1. Null takes it from the environment or the AWS profile."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is \"${coalesce(var.region, "null")}\": give a region's code, such as eu-west-1, or null."
  }
}

variable "name_prefix" {
  description = "Begins the names of what is made besides queues and groups (those are named by the policies): tables, roles, cluster. 1 to 12 small letters, digits and hyphens, a letter first."
  type        = string
  default     = "weir"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,11}$", var.name_prefix))
    error_message = "name_prefix is \"${var.name_prefix}\": give 1 to 12 small letters, digits and hyphens, beginning with a letter."
  }
}

variable "tags" {
  description = "Tags on everything that can carry them, instances and their volumes included."
  type        = map(string)
  default     = { application = "weir" }
}

################################################################################
# Policies: one file a fleet
################################################################################

variable "policies" {
  description = "Folder of scaling policies, one *.yaml a fleet. A fleet's name, size, queues and worker settings come from its file and stand nowhere else; adding a fleet is adding a file."
  type        = string
  default     = "../policies"

  validation {
    condition     = length(fileset(var.policies, "*.yaml")) > 0
    error_message = "policies is \"${var.policies}\": no *.yaml there. Give the folder that holds the scaling policies, as seen from where terraform runs."
  }
}

################################################################################
# Queues
################################################################################

variable "max_receive_count" {
  description = "Deliveries after which SQS moves a message to the dead-letter queue, 1 to 1000. Only a backstop: the worker counts attempts itself, and hand-backs of a drain count as deliveries too, so keep it well above the worker's attempts."
  type        = number
  default     = 10

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count is ${var.max_receive_count}: give a whole number from 1 to 1000."
  }
}

variable "message_retention_seconds" {
  description = "How long a message may wait, in seconds: 60 to 1123200 (13 days). The dead-letter queue keeps for 14 days, counted from when the message was first sent, so it must be the longer one."
  type        = number
  default     = 345600

  validation {
    condition     = var.message_retention_seconds >= 60 && var.message_retention_seconds <= 1123200
    error_message = "message_retention_seconds is ${var.message_retention_seconds}: give 60 to 1123200 (13 days)."
  }
}

################################################################################
# Workers
################################################################################

variable "worker" {
  description = <<-EOT
    How a worker is made, for all fleets.
    - artifact: a .tar.gz in S3 with `weir-worker` at its top, beside whatever `exec` needs. `sha256`, 64 hex digits, is checked before anything in it runs.
    - exec: the command that does a job, run in the unpacked artifact's folder; or http: the URL of a service on the instance that does jobs, which the image must start. Neither when `weir-worker` in the artifact was built with a handler of its own.
    - instance_types: arm64 (names such as c7g) or x86_64, all of what the artifact was built for, the preferred one first. instance_type stands for a list of one.
    - spot: spot instances, see modules/fleet. Null: on demand.
    - warm_pool: instances kept prepared, see modules/fleet. Null: none.
    - instance_refresh: whether running instances are replaced, a tenth at a time and each after its drain, when the launch template changes, such as for a new artifact. False: what is launched from then on is new.
    - image_id: an AMI with systemd 249 or later, cloud-init, the AWS CLI, curl and tar; ami-… or resolve:ssm:PARAMETER. Null: the newest Amazon Linux 2023 at each launch.
    - volume_gib: root volume in GiB, 8 to 16384.
    - memory_max: the most memory that the worker and its handlers may take: a share such as 90%, or bytes such as 3G.
    - job_timeout_seconds: the longest a job may run, 1 to 43140; SQS hides no message longer than 12 hours.
    - environment: more environment variables, for the handler.
    - settings: text of a settings file for the worker (docs/worker.md), such as file("worker.yaml"); what Terraform sets goes before it.
    - unit_options: lines for the worker's systemd unit, for what a handler needs that the unit denies, such as PrivateDevices=no for a GPU.
    - policy_arns: more IAM policies for the worker's role: what the handler itself needs.
  EOT
  type = object({
    artifact = object({
      bucket = string
      key    = string
      sha256 = string
    })
    exec           = optional(string)
    http           = optional(string)
    instance_type  = optional(string, "c7i.large")
    instance_types = optional(list(string))
    spot = optional(object({
      on_demand_base       = optional(number, 0)
      on_demand_percentage = optional(number, 0)
      allocation_strategy  = optional(string, "price-capacity-optimized")
    }))
    warm_pool = optional(object({
      state        = optional(string, "Stopped")
      min_size     = optional(number, 0)
      max_prepared = optional(number)
    }))
    instance_refresh    = optional(bool, true)
    image_id            = optional(string)
    volume_gib          = optional(number, 8)
    memory_max          = optional(string, "90%")
    job_timeout_seconds = optional(number, 600)
    environment         = optional(map(string), {})
    settings            = optional(string)
    unit_options        = optional(list(string), [])
    policy_arns         = optional(list(string), [])
  })
}

variable "worker_overrides" {
  description = "What differs from `worker` in one fleet, by its policy's name. A value given here replaces the one there whole."
  type = map(object({
    artifact = optional(object({
      bucket = string
      key    = string
      sha256 = string
    }))
    exec           = optional(string)
    http           = optional(string)
    instance_type  = optional(string)
    instance_types = optional(list(string))
    spot = optional(object({
      on_demand_base       = optional(number, 0)
      on_demand_percentage = optional(number, 0)
      allocation_strategy  = optional(string, "price-capacity-optimized")
    }))
    warm_pool = optional(object({
      state        = optional(string, "Stopped")
      min_size     = optional(number, 0)
      max_prepared = optional(number)
    }))
    instance_refresh    = optional(bool)
    image_id            = optional(string)
    volume_gib          = optional(number)
    memory_max          = optional(string)
    job_timeout_seconds = optional(number)
    environment         = optional(map(string))
    settings            = optional(string)
    unit_options        = optional(list(string))
    policy_arns         = optional(list(string))
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.worker_overrides), keys(module.policies.by_name))) == 0
    error_message = "worker_overrides names ${join(", ", setsubtract(keys(var.worker_overrides), keys(module.policies.by_name)))}, but the policies are: ${join(", ", keys(module.policies.by_name))}."
  }
}

################################################################################
# Controller
################################################################################

variable "controller_image" {
  description = "Container image of the controller, with its tag or digest. controller/Dockerfile builds it."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-zA-Z0-9._/:-]*(:[a-zA-Z0-9._-]+|@sha256:[0-9a-f]{64})$", var.controller_image))
    error_message = "controller_image is \"${var.controller_image}\": give image:tag or image@sha256:digest, so that what runs is what you chose."
  }
}

variable "controller_architecture" {
  description = "What controller_image is built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.controller_architecture)
    error_message = "controller_architecture is \"${var.controller_architecture}\": give X86_64 or ARM64."
  }
}

variable "controller_enabled" {
  description = "Whether the schedule runs. False leaves every fleet at its present size; workers go on working."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long the controller's logs are kept, in days: one of the periods CloudWatch Logs offers."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is ${var.log_retention_days}: CloudWatch Logs offers 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and 1096 days, and some up to 3653."
  }
}

################################################################################
# Tables
################################################################################

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted. Apply false first to tear down."
  type        = bool
  default     = true
}

################################################################################
# Network
################################################################################

variable "subnet_ids" {
  description = "Subnets of one VPC for workers and controller; they must reach AWS's endpoints. Empty: the default VPC's."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "subnet_ids is ${jsonencode(var.subnet_ids)}: give ids such as subnet-0123456789abcdef0, or none for the default VPC."
  }
}

variable "assign_public_ip" {
  description = "Whether workers and controller get public addresses, for subnets whose way out is an internet gateway. Null: only in the default VPC. Nothing may connect to them either way."
  type        = bool
  default     = null
}
