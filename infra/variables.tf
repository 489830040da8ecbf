################################################################################
# Where and under which names
################################################################################

variable "region" {
  description = "The AWS region that this is meant for, such as eu-west-1; a plan in any other is refused. Null: whichever the provider is set to (AWS_REGION, the AWS profile, or the calling configuration's provider block)."
  type        = string
  default     = null

  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is \"${coalesce(var.region, "null")}\": give a region's code, such as eu-west-1, or null."
  }

  validation {
    condition     = var.region == null || coalesce(var.region, "null") == data.aws_region.current.name
    error_message = "region is \"${coalesce(var.region, "null")}\", but the provider works in ${data.aws_region.current.name}: export AWS_REGION=${coalesce(var.region, "null")}, or set the region in the calling configuration's provider block."
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

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(key, "aws:") && !startswith(key, "weir:") && key != "Name"])
    error_message = "tags has the keys ${join(", ", keys(var.tags))}: aws: is reserved by AWS, weir: and Name are set here."
  }
}

################################################################################
# Encryption and rights
################################################################################

variable "kms_key_arn" {
  description = "ARN of a customer managed KMS key for queues, tables, buckets, volumes and logs. Null: the keys that AWS manages. Its key policy must let this account's IAM policies decide, and the services use it that docs/deploy.md names."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", coalesce(var.kms_key_arn, "arn:aws:kms:eu-west-1:000000000000:key/0")))
    error_message = "kms_key_arn is \"${coalesce(var.kms_key_arn, "null")}\": give a key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID; not an alias's), or null."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of an IAM policy that bounds every role made here. Null: none."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", coalesce(var.permissions_boundary_arn, "arn:aws:iam::aws:policy/none")))
    error_message = "permissions_boundary_arn is \"${coalesce(var.permissions_boundary_arn, "null")}\": give an IAM policy's ARN, or null."
  }
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
  description = "Deliveries after which SQS moves a message to the dead-letter queue, 1 to 1000, for queues whose policy says nothing. Null: twice the worker's attempts, at least 10. Only a backstop: the worker counts attempts itself, and hand-backs of a drain count as deliveries too, so keep it well above the worker's attempts."
  type        = number
  default     = null

  validation {
    condition     = try(var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count, var.max_receive_count == null)
    error_message = "max_receive_count is ${coalesce(var.max_receive_count, 0)}: give a whole number from 1 to 1000, or null."
  }

  validation {
    condition     = var.max_receive_count == null || alltrue([for policy in module.policies.by_name : try(var.max_receive_count > coalesce(policy.max_attempts, 5), true)])
    error_message = "max_receive_count is ${coalesce(var.max_receive_count, 0)}: it must be above the workers' attempts (worker.max_attempts of a policy, 5 where it is silent), or SQS moves messages away before the worker can say why."
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

variable "message_bytes_max" {
  description = "The longest message, attributes included, in bytes: 1024 to 262144 (256 KiB). SQS itself takes 1048576 (1 MiB), but version 5 of the AWS provider lets no more than 262144 through, as does version 6 before it took the new limit up in autumn 2025. Longer bodies go through `payload_bucket`."
  type        = number
  default     = 262144

  validation {
    condition     = var.message_bytes_max >= 1024 && var.message_bytes_max <= 262144 && floor(var.message_bytes_max) == var.message_bytes_max
    error_message = "message_bytes_max is ${var.message_bytes_max}: give a whole number from 1024 to 262144 bytes, the most that version 5 of the AWS provider lets through; longer bodies go through payload_bucket."
  }
}

variable "fifo_content_deduplication" {
  description = "FIFO queues in which two messages of the same body within five minutes count as one. Of others the sender says which are the same, by their deduplication id."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.fifo_content_deduplication : endswith(name, ".fifo") && contains(keys(module.policies.queues), name)])
    error_message = "fifo_content_deduplication names ${join(", ", var.fifo_content_deduplication)}; the policies' FIFO queues are: ${join(", ", [for name in keys(module.policies.queues) : name if endswith(name, ".fifo")])}."
  }
}

variable "kms_data_key_reuse_seconds" {
  description = "With kms_key_arn: for how long SQS reuses a data key before it calls KMS again, in seconds, 60 to 86400. Longer is cheaper."
  type        = number
  default     = 300

  validation {
    condition     = var.kms_data_key_reuse_seconds >= 60 && var.kms_data_key_reuse_seconds <= 86400
    error_message = "kms_data_key_reuse_seconds is ${var.kms_data_key_reuse_seconds}: SQS takes 60 to 86400 (a day)."
  }
}

variable "sources" {
  description = <<-EOT
    Who sends to a queue besides a front end, by the queue's name. With kms_key_arn, the key's policy must let sns.amazonaws.com and events.amazonaws.com use it.
    - sns_topics: ARNs of SNS topics to subscribe to, by any name. Messages arrive as they were published (raw).
    - event_rules: EventBridge rules to make, by name: pattern (JSON) or schedule (rate or cron), bus, input (the body; null: the event), message_group_id (FIFO).
  EOT
  type = map(object({
    sns_topics = optional(map(string), {})
    event_rules = optional(map(object({
      pattern          = optional(string)
      schedule         = optional(string)
      bus              = optional(string, "default")
      input            = optional(string)
      message_group_id = optional(string)
    })), {})
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.sources), keys(module.policies.queues))) == 0
    error_message = "sources names ${join(", ", setsubtract(keys(var.sources), keys(module.policies.queues)))}, but the policies' queues are: ${join(", ", keys(module.policies.queues))}."
  }
}

################################################################################
# Workers
################################################################################

variable "worker" {
  description = <<-EOT
    How a worker is made, for all fleets.
    - artifact: a .tar.gz with `weir-worker` at its top, beside whatever `exec` needs. Either `{ path = "…" }`, a file on this machine, which is uploaded; or `{ bucket, key, sha256 }` of an object in S3. `sha256`, 64 hex digits, is checked before anything in it runs. Fleets on EC2 need one.
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

    Fleets on ECS (`fleet.ecs_service` in their policy) take image, cpu, memory, spot, job_timeout_seconds, environment, policy_arns and the handler of all this.
    - image: container image with weir-worker on its path and what the handler needs, with its tag or digest; image_architecture: x86_64 or arm64.
    - cpu: CPU units of a task, 1024 of them a vCPU, from 256; memory: MiB, two to eight times as many.
  EOT
  type = object({
    artifact = optional(object({
      path   = optional(string)
      bucket = optional(string)
      key    = optional(string)
      sha256 = optional(string)
    }))
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
    image               = optional(string)
    image_architecture  = optional(string, "x86_64")
    cpu                 = optional(number, 1024)
    memory              = optional(number, 2048)
  })
  default = {}

  validation {
    condition = var.worker.artifact == null || try(
      var.worker.artifact.path != null
      ? alltrue([for part in [var.worker.artifact.bucket, var.worker.artifact.key, var.worker.artifact.sha256] : part == null])
      : alltrue([for part in [var.worker.artifact.bucket, var.worker.artifact.key, var.worker.artifact.sha256] : part != null]),
      false,
    )
    error_message = "worker.artifact is ${jsonencode(var.worker.artifact)}: give either { path } or { bucket, key, sha256 }."
  }
}

variable "worker_overrides" {
  description = "What differs from `worker` in one fleet, by its policy's name. A value given here replaces the one there whole."
  type = map(object({
    artifact = optional(object({
      path   = optional(string)
      bucket = optional(string)
      key    = optional(string)
      sha256 = optional(string)
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
    image               = optional(string)
    image_architecture  = optional(string)
    cpu                 = optional(number)
    memory              = optional(number)
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.worker_overrides), keys(module.policies.by_name))) == 0
    error_message = "worker_overrides names ${join(", ", setsubtract(keys(var.worker_overrides), keys(module.policies.by_name)))}, but the policies are: ${join(", ", keys(module.policies.by_name))}."
  }

  validation {
    condition = alltrue([for name, worker in var.worker_overrides : worker.artifact == null || try(
      worker.artifact.path != null
      ? alltrue([for part in [worker.artifact.bucket, worker.artifact.key, worker.artifact.sha256] : part == null])
      : alltrue([for part in [worker.artifact.bucket, worker.artifact.key, worker.artifact.sha256] : part != null]),
      false,
    )])
    error_message = "An artifact in worker_overrides is neither { path } nor { bucket, key, sha256 }: ${jsonencode({ for name, worker in var.worker_overrides : name => worker.artifact })}."
  }

  validation {
    condition     = alltrue([for name in local.ec2_fleets : var.worker.artifact != null || try(var.worker_overrides[name].artifact != null, false)])
    error_message = "Fleets on EC2 need an artifact: give worker.artifact, or one in worker_overrides for each of ${join(", ", local.ec2_fleets)}."
  }

  validation {
    condition     = alltrue([for name in local.ecs_fleets : var.worker.image != null || try(var.worker_overrides[name].image != null, false)])
    error_message = "Fleets on ECS need an image: give worker.image, or one in worker_overrides for each of ${join(", ", local.ecs_fleets)}."
  }

  validation {
    condition     = alltrue([for name in local.ecs_fleets : var.worker.settings == null && try(var.worker_overrides[name].settings, null) == null])
    error_message = "worker.settings is a file on an instance, and ${join(", ", local.ecs_fleets)} run on ECS: give these in `environment` (WEIR_…), or put a file into the image and name it by WEIR_CONFIG."
  }
}

################################################################################
# Controller
################################################################################

variable "architecture" {
  description = "What the controller's artifact or image is built for: x86_64 or arm64. A fleet's architecture is its instance type's."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture is \"${var.architecture}\": give x86_64 or arm64."
  }
}

variable "controller_artifact" {
  description = "The controller's zip (runtime lambda) or .tar.gz (runtime systemd): `{ path = \"…\" }`, a file on this machine, which is uploaded; or `{ bucket, key, sha256 }` of an object in S3 in this region. Null where the runtime is ecs."
  type = object({
    path   = optional(string)
    bucket = optional(string)
    key    = optional(string)
    sha256 = optional(string)
  })
  default = null

  validation {
    condition = var.controller_artifact == null || try(
      var.controller_artifact.path != null
      ? alltrue([for part in [var.controller_artifact.bucket, var.controller_artifact.key, var.controller_artifact.sha256] : part == null])
      : alltrue([for part in [var.controller_artifact.bucket, var.controller_artifact.key, var.controller_artifact.sha256] : part != null]),
      false,
    )
    error_message = "controller_artifact is ${jsonencode(var.controller_artifact)}: give { path } or { bucket, key, sha256 }."
  }

  validation {
    condition     = var.controller_runtime != "lambda" || var.controller_artifact != null
    error_message = "controller_artifact is null, but controller_runtime = \"lambda\" runs the controller's zip: give { path = \"…\" }, as `make dist` built it, or { bucket, key, sha256 }; or choose another controller_runtime."
  }
}

variable "controller_image" {
  description = "Container image of the controller, with its tag or digest, where the runtime is ecs. controller/Dockerfile builds it."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[a-z0-9][a-zA-Z0-9._/:-]*(:[a-zA-Z0-9._-]+|@sha256:[0-9a-f]{64})$", coalesce(var.controller_image, "none:0")))
    error_message = "controller_image is \"${coalesce(var.controller_image, "null")}\": give image:tag or image@sha256:digest, so that what runs is what you chose."
  }

  validation {
    condition     = var.controller_runtime != "ecs" || var.controller_image != null
    error_message = "controller_image is null, but controller_runtime = \"ecs\" runs the controller's image: give image:tag or image@sha256:digest, or choose another controller_runtime."
  }
}

variable "controller_enabled" {
  description = "Whether the schedule runs. False leaves every fleet at its present size, and silences the alarm on the controller's silence; workers go on working. A host with systemd must be stopped there as well: systemctl disable --now weir.timer."
  type        = bool
  default     = true
}

variable "controller_reserved_concurrency" {
  description = "How many of the controller's function may run at a time, reserved out of the account's concurrency: 1, or -1 to reserve none. AWS refuses to reserve where too little is left, as in a new account whose quota is 10; a lease in the state table lets one act all the same."
  type        = number
  default     = 1

  validation {
    condition     = contains([-1, 1], var.controller_reserved_concurrency)
    error_message = "controller_reserved_concurrency is ${var.controller_reserved_concurrency}: give 1, or -1 to reserve none."
  }
}

variable "controller_runtime" {
  description = "What runs the controller: lambda (EventBridge Scheduler starts a function every minute), ecs (a Fargate task every minute) or systemd (a timer on a host of yours; the output controller_units has what belongs there)."
  type        = string
  default     = "lambda"

  validation {
    condition     = contains(["lambda", "ecs", "systemd"], var.controller_runtime)
    error_message = "controller_runtime is \"${var.controller_runtime}\": give lambda, ecs or systemd."
  }
}

variable "controller_tracing" {
  description = "Whether X-Ray traces the controller's function."
  type        = bool
  default     = false
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
# Alarms and the dashboard
################################################################################

variable "alarm_email" {
  description = "Address that alarms are sent to, through a topic made here; its owner must confirm the subscription. Null: none."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+[.][^@\\s]+$", coalesce(var.alarm_email, "a@b.c")))
    error_message = "alarm_email is \"${coalesce(var.alarm_email, "null")}\": give an address such as ops@example.com, or null."
  }
}

variable "alarm_late_minutes" {
  description = "For how many minutes on end an objective may be missed before the alarms on age and lateness go off: 1 to 60."
  type        = number
  default     = 5

  validation {
    condition     = var.alarm_late_minutes >= 1 && var.alarm_late_minutes <= 60 && floor(var.alarm_late_minutes) == var.alarm_late_minutes
    error_message = "alarm_late_minutes is ${var.alarm_late_minutes}: give a whole number of minutes from 1 to 60."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to; CloudWatch must be allowed to publish there."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))])
    error_message = "alarm_topic_arns is ${jsonencode(var.alarm_topic_arns)}: give ARNs of SNS topics, arn:aws:sns:REGION:ACCOUNT:NAME; alarms cannot publish to FIFO topics."
  }
}

variable "instance_hour_prices" {
  description = "What an hour of an instance (of a task, for an ECS service) costs, by the policy's name, in any currency: for the dashboard's cost of the last 24 hours, and nothing else. Where it is absent the dashboard shows hours alone."
  type        = map(number)
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.instance_hour_prices), keys(module.policies.by_name))) == 0
    error_message = "instance_hour_prices names ${join(", ", setsubtract(keys(var.instance_hour_prices), keys(module.policies.by_name)))}, but the policies are: ${join(", ", keys(module.policies.by_name))}."
  }

  validation {
    condition     = alltrue([for price in values(var.instance_hour_prices) : price >= 0])
    error_message = "instance_hour_prices is ${jsonencode(var.instance_hour_prices)}: a price is 0 or more."
  }
}

################################################################################
# Tables and buckets
################################################################################

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted, and the groups to be deleted with instances in them. Apply false first to tear down."
  type        = bool
  default     = true
}

variable "table_request_units_max" {
  description = "The most read and write request units a second that each table may use: a bound on what a runaway producer can cost, beyond which calls are refused and tried again. Null: AWS's own quota, 40000 of each."
  type        = number
  default     = null

  validation {
    condition     = try(var.table_request_units_max >= 1 && floor(var.table_request_units_max) == var.table_request_units_max, var.table_request_units_max == null)
    error_message = "table_request_units_max is ${coalesce(var.table_request_units_max, 0)}: give a whole number from 1, or null."
  }
}

variable "artifact_bucket" {
  description = <<-EOT
    The bucket of artifacts and policies; it is always made.
    - force_destroy: whether it may be deleted with what is in it: its objects are Terraform's, but their old versions are not. Default: whatever `deletion_protection` is not.
    - noncurrent_days: how long a replaced version is kept, in days, from 1; the newest ten stay for ever.
  EOT
  type = object({
    force_destroy   = optional(bool)
    noncurrent_days = optional(number, 90)
  })
  default = {}
}

variable "payload_bucket" {
  description = <<-EOT
    A bucket for message bodies beyond what a queue takes (docs/front-end.md). Null: none.
    - name: the bucket's. Default: PREFIX-payloads-ACCOUNT-REGION.
    - expire_days: after how many days a body that no worker deleted goes, from 28: a message may wait for 13 and its dead letter for 14 more.
    - force_destroy: whether it may be deleted with bodies in it. Default: whatever `deletion_protection` is not.
  EOT
  type = object({
    name          = optional(string)
    expire_days   = optional(number, 30)
    force_destroy = optional(bool)
  })
  default = null

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", try(coalesce(var.payload_bucket.name), "none")))
    error_message = "payload_bucket.name is \"${try(coalesce(var.payload_bucket.name), "null")}\": give 3 to 63 small letters, digits, dots and hyphens, or leave it out."
  }
}

################################################################################
# Network
################################################################################

variable "network" {
  description = <<-EOT
    Makes a network for workers and controller: private subnets, no way to the internet, endpoints to the AWS services that are called. Null: `subnet_ids`, or the default VPC.
    - cidr: its IPv4 range, /16 to /24.
    - zones: how many availability zones, 1 to 3. Interface endpoints cost by zone.
    - services: more services to reach, by the last part of the endpoint's name, such as kms: what the handlers call.
    - flow_log_days: how long the record of connections is kept, in days. Null: no record.
  EOT
  type = object({
    cidr          = optional(string, "10.79.0.0/16")
    zones         = optional(number, 2)
    services      = optional(list(string), [])
    flow_log_days = optional(number)
  })
  default = null

  validation {
    condition     = var.network == null || length(var.subnet_ids) == 0
    error_message = "Both network and subnet_ids are given: give one of them, or neither for the default VPC."
  }
}

variable "subnet_ids" {
  description = "Subnets of one VPC for workers and controller; they must reach AWS's endpoints. Empty: those of `network`, or the default VPC's."
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
