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

variable "queues" {
  description = "The queues it serves: name, ARN and the dead-letter queue's ARN of each. The worker takes one so far."
  type = list(object({
    name            = string
    arn             = string
    dead_letter_arn = string
  }))
}

variable "slots" {
  description = "Jobs an instance runs at a time. Null: the worker's default."
  type        = number
}

variable "visibility_timeout_seconds" {
  description = "For how long the worker hides a message and renews it, in seconds: 1 to 43200."
  type        = number
}

################################################################################
# How a worker is made
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
  description = "More environment variables for the worker, by name."
  type        = map(string)

  validation {
    condition     = alltrue([for name, value in var.environment : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !strcontains(value, "\n")])
    error_message = "environment holds ${join(", ", keys(var.environment))}: names are letters, digits and underscores, values are one line each."
  }
}

variable "exec" {
  description = "The command that does a job. Null: the worker has a handler of its own."
  type        = string

  validation {
    condition     = var.exec == null || !strcontains(coalesce(var.exec, "-"), "\n")
    error_message = "exec has several lines: give one command, or put a script into the artifact."
  }
}

variable "image_id" {
  description = "An AMI, or resolve:ssm:PARAMETER. Null: the newest Amazon Linux 2023 at each launch."
  type        = string

  validation {
    condition     = can(regex("^(ami-[0-9a-f]+|resolve:ssm:.+)$", coalesce(var.image_id, "ami-0")))
    error_message = "image_id is \"${coalesce(var.image_id, "null")}\": give ami-…, resolve:ssm:PARAMETER, or null for the newest Amazon Linux 2023."
  }
}

variable "instance_type" {
  description = "EC2 instance type, such as c7i.large or c7g.large."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[.][a-z0-9-]+$", var.instance_type))
    error_message = "instance_type is \"${var.instance_type}\": give a type such as c7i.large."
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

variable "policy_arns" {
  description = "More IAM policies for the worker's role: what the handler itself needs."
  type        = list(string)
}

variable "volume_gib" {
  description = "Root volume in GiB: 8 to 16384."
  type        = number

  validation {
    condition     = var.volume_gib >= 8 && var.volume_gib <= 16384
    error_message = "volume_gib is ${var.volume_gib}: give 8 (Amazon Linux's image) to 16384 (gp3's most)."
  }
}

################################################################################
# Around it
################################################################################

variable "assign_public_ip" {
  description = "Whether instances get public addresses."
  type        = bool
}

variable "jobs_table" {
  description = "Name and ARN of the jobs table."
  type        = object({ name = string, arn = string })
}

variable "name_prefix" {
  description = "Begins the names of roles and templates."
  type        = string
}

variable "state_table" {
  description = "Name and ARN of the state table."
  type        = object({ name = string, arn = string })
}

variable "subnet_ids" {
  description = "Subnets to launch in, of one VPC."
  type        = list(string)
}

variable "tags" {
  description = "Tags on what the group launches; the provider's default tags do not reach there."
  type        = map(string)
}

variable "vpc_id" {
  description = "The subnets' VPC."
  type        = string
}
