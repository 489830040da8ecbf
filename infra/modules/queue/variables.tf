################################################################################
# What it is
################################################################################

variable "name" {
  description = "Queue name: 1 to 76 letters, digits, hyphens and underscores; a FIFO queue's has at most 71 of them and ends in .fifo. The dead-letter queue's is this with -dlq."
  type        = string

  validation {
    condition     = can(regex("^([a-zA-Z0-9_-]{1,76}|[a-zA-Z0-9_-]{1,71}[.]fifo)$", var.name))
    error_message = "The queue's name is \"${var.name}\": SQS takes letters, digits, hyphens and underscores, and 76 of them leave room for -dlq; before .fifo there may be 71."
  }
}

variable "content_based_deduplication" {
  description = "FIFO only: whether two messages of the same body within five minutes count as one. False: the sender says which are, by their deduplication id."
  type        = bool
  default     = false
}

variable "max_receive_count" {
  description = "Deliveries after which SQS moves a message to the dead-letter queue, 1 to 1000."
  type        = number

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count is ${var.max_receive_count}: give a whole number from 1 to 1000."
  }
}

variable "message_bytes_max" {
  description = "The longest message, attributes included, in bytes: 1024 to 262144 (256 KiB). SQS itself takes 1048576 (1 MiB), but version 5 of the AWS provider lets no more than 262144 through."
  type        = number
  default     = 262144

  validation {
    condition     = var.message_bytes_max >= 1024 && var.message_bytes_max <= 262144 && floor(var.message_bytes_max) == var.message_bytes_max
    error_message = "message_bytes_max is ${var.message_bytes_max}: give a whole number from 1024 to 262144 bytes, the most that version 5 of the AWS provider lets through."
  }
}

variable "message_retention_seconds" {
  description = "How long a message may wait, in seconds: 60 to 1123200, a day less than the dead-letter queue keeps."
  type        = number

  validation {
    condition     = var.message_retention_seconds >= 60 && var.message_retention_seconds <= 1123200
    error_message = "message_retention_seconds is ${var.message_retention_seconds}: give 60 to 1123200 (13 days)."
  }
}

variable "visibility_timeout_seconds" {
  description = "For how long a received message is hidden unless its consumer says otherwise, in seconds: 1 to 43200."
  type        = number

  validation {
    condition     = var.visibility_timeout_seconds >= 1 && var.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds is ${var.visibility_timeout_seconds}: SQS takes up to 43200 (12 hours)."
  }
}

################################################################################
# Around it
################################################################################

variable "kms_data_key_reuse_seconds" {
  description = "With a KMS key: for how long SQS reuses a data key before it calls KMS again, in seconds, 60 to 86400. Longer is cheaper."
  type        = number
  default     = 300

  validation {
    condition     = var.kms_data_key_reuse_seconds >= 60 && var.kms_data_key_reuse_seconds <= 86400
    error_message = "kms_data_key_reuse_seconds is ${var.kms_data_key_reuse_seconds}: SQS takes 60 to 86400 (a day)."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts messages. Null: SQS's own keys (SSE-SQS)."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags on both queues."
  type        = map(string)
  default     = {}
}

################################################################################
# Who sends to it, besides a front end
################################################################################

variable "event_rules" {
  description = "EventBridge rules to make, by a name of 1 to 40 letters, digits, hyphens and underscores: an event pattern (JSON) or a schedule, the bus, the message's body (null: the event), and for a FIFO queue its message group (null: the rule's name); FIFO needs content_based_deduplication, too."
  type = map(object({
    pattern          = optional(string)
    schedule         = optional(string)
    bus              = optional(string, "default")
    input            = optional(string)
    message_group_id = optional(string)
  }))
  default = {}

  validation {
    condition = alltrue([for name, rule in var.event_rules :
      can(regex("^[A-Za-z0-9_-]{1,40}$", name)) && (rule.pattern == null) != (rule.schedule == null) && (rule.schedule == null || rule.bus == "default")
    ])
    error_message = "event_rules is ${jsonencode(var.event_rules)}: each needs a name of 1 to 40 letters, digits, hyphens and underscores, and either a pattern or a schedule; schedules run on the default bus alone."
  }

  validation {
    condition     = length(var.event_rules) == 0 || !endswith(var.name, ".fifo") || var.content_based_deduplication
    error_message = "The FIFO queue ${var.name} takes from EventBridge only with content_based_deduplication: a rule gives no deduplication id."
  }

  validation {
    condition     = alltrue([for name in keys(var.event_rules) : length("${trimsuffix(var.name, ".fifo")}-${name}") <= 64])
    error_message = "A rule's name is QUEUE-RULE, 64 characters at most: shorten one of ${join(", ", keys(var.event_rules))}."
  }
}

variable "sns_topics" {
  description = "ARNs of SNS topics to subscribe to, by any name; a FIFO queue takes from FIFO topics alone."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.sns_topics) : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$", arn))])
    error_message = "sns_topics is ${jsonencode(var.sns_topics)}: give topics' ARNs, such as arn:aws:sns:eu-west-1:123456789012:uploads."
  }

  validation {
    condition     = !endswith(var.name, ".fifo") || alltrue([for arn in values(var.sns_topics) : endswith(arn, ".fifo")])
    error_message = "The FIFO queue ${var.name} takes from FIFO topics alone; sns_topics is ${jsonencode(var.sns_topics)}."
  }
}
