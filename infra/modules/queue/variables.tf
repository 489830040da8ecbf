variable "name" {
  description = "Queue name: 1 to 76 letters, digits, hyphens and underscores. The dead-letter queue's is this with -dlq."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,76}$", var.name))
    error_message = "The queue's name is \"${var.name}\": SQS takes letters, digits, hyphens and underscores, and 76 of them leave room for -dlq."
  }
}

variable "max_receive_count" {
  description = "Deliveries after which SQS moves a message to the dead-letter queue, 1 to 1000."
  type        = number

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count is ${var.max_receive_count}: give 1 to 1000."
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
