################################################################################
# What is watched
################################################################################

variable "controller" {
  description = "The controller: its name, whether it is meant to run, and its function, schedule group and log group, each null where its runtime has none."
  type = object({
    name                = string
    enabled             = bool
    function_name       = optional(string)
    schedule_group_name = optional(string)
    log_group_name      = optional(string)
  })
}

variable "dead_letter_queues" {
  description = "Name of each queue's dead-letter queue, by the queue's name."
  type        = map(string)
}

variable "fleets" {
  description = "By the policy's name: its queues' names, its group or its service (CLUSTER/SERVICE), its objective and the longest that a job may run, in seconds, whether it has a budget, and what an instance (a task) costs an hour, null where nobody said."
  type = map(object({
    queues               = list(string)
    group_name           = optional(string)
    ecs_service          = optional(string)
    start_within_seconds = number
    job_seconds_max      = number
    has_budget           = bool
    instance_hour_price  = optional(number)
  }))

  # 500 widgets a dashboard.
  validation {
    condition     = length(var.fleets) <= 50
    error_message = "fleets holds ${length(var.fleets)}: a dashboard has room for 50. Part the policies into folders, each with a name_prefix and a state of its own."
  }
}

variable "late_minutes" {
  description = "For how many minutes on end an objective may be missed before the alarms on age and lateness go off: 1 to 60."
  type        = number
  default     = 5

  validation {
    condition     = var.late_minutes >= 1 && var.late_minutes <= 60 && floor(var.late_minutes) == var.late_minutes
    error_message = "late_minutes is ${var.late_minutes}: give a whole number of minutes from 1 to 60."
  }
}

################################################################################
# Who is told, and in what
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

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to; CloudWatch must be allowed to publish there."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))])
    error_message = "alarm_topic_arns is ${jsonencode(var.alarm_topic_arns)}: give ARNs of SNS topics, arn:aws:sns:REGION:ACCOUNT:NAME; alarms cannot publish to FIFO topics."
  }

  validation {
    condition     = length(var.alarm_topic_arns) <= (var.alarm_email == null ? 5 : 4)
    error_message = "alarm_topic_arns has ${length(var.alarm_topic_arns)}: an alarm has 5 actions, of which alarm_email takes one."
  }
}

variable "kms_key_arn" {
  description = "Customer key for the topic made here; its policy must let cloudwatch.amazonaws.com use it. Null: a key is made for the topic, since AWS's own is closed to alarms."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Names the dashboard, and begins the names of alarms and topic."
  type        = string
  default     = "weir"
}

variable "tags" {
  description = "Tags on all that can carry them."
  type        = map(string)
  default     = {}
}
