################################################################################
# What the policy says
################################################################################

variable "cluster" {
  description = "Name of the ECS cluster, which must be there and have the capacity providers FARGATE and, for spot, FARGATE_SPOT."
  type        = string
}

variable "min_size" {
  description = "Fewest tasks, from 0: the service begins with them."
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

variable "service" {
  description = "Name of the ECS service."
  type        = string
}

################################################################################
# The worker
################################################################################

variable "architecture" {
  description = "What the image is built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\": give x86_64 or arm64."
  }
}

variable "cpu" {
  description = "CPU units of a task: 256, 512, 1024, 2048, 4096, 8192 or 16384; 1024 are one vCPU."
  type        = number
  default     = 1024

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "cpu is ${var.cpu}: Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384 units."
  }
}

variable "environment" {
  description = "The worker's environment variables, by name; where it runs is added here."
  type        = map(string)
}

variable "image" {
  description = "Container image with weir-worker on its path and what the handler needs, with its tag or digest."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-zA-Z0-9._/:-]*(:[a-zA-Z0-9._-]+|@sha256:[0-9a-f]{64})$", var.image))
    error_message = "The worker's image is \"${var.image}\": give image:tag or image@sha256:digest, so that what runs is what you chose."
  }
}

variable "log_retention_days" {
  description = "How long the workers' logs are kept, in days: one of the periods CloudWatch Logs offers."
  type        = number
  default     = 30
}

variable "memory" {
  description = "Memory of a task in MiB, of what Fargate offers for its cpu: two to eight times as many MiB as units, seven and a half times from 8192 units on."
  type        = number
  default     = 2048

  validation {
    condition     = var.memory >= 2 * var.cpu && var.memory <= (var.cpu >= 8192 ? 7.5 : 8) * var.cpu
    error_message = "memory is ${var.memory} MiB with ${var.cpu} CPU units: Fargate offers ${2 * var.cpu} to ${(var.cpu >= 8192 ? 7.5 : 8) * var.cpu} MiB with them."
  }
}

variable "spot" {
  description = "Fargate Spot. on_demand_base: the first so many tasks are on demand, 0 or more; on_demand_percentage: of what is beyond, 0 to 99. Null: all on demand."
  type = object({
    on_demand_base       = optional(number, 0)
    on_demand_percentage = optional(number, 0)
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
}

variable "worker_policy" {
  description = "IAM policy document, JSON: what every worker of the fleet may do."
  type        = string
}

################################################################################
# Around it
################################################################################

variable "assign_public_ip" {
  description = "Whether tasks get public addresses."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "The customer's key for the logs; its policy must let CloudWatch Logs use it. Null: AWS's."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Begins the names of roles, task definition and log group."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "IAM policy that bounds both roles. Null: none."
  type        = string
  default     = null
}

variable "policy_arns" {
  description = "More IAM policies for the workers' role: what the handler itself needs."
  type        = list(string)
  default     = []
}

variable "state_table" {
  description = "Name and ARN of the state table."
  type        = object({ name = string, arn = string })
}

variable "subnet_ids" {
  description = "Subnets to run in, of one VPC."
  type        = list(string)
}

variable "tags" {
  description = "Tags on the service, its tasks and all around them."
  type        = map(string)
  default     = {}
}

variable "vpc_id" {
  description = "The subnets' VPC."
  type        = string
}
