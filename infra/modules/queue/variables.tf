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
