variable "architecture" {
  description = "What the image is built for: X86_64 or ARM64."
  type        = string
}

variable "assign_public_ip" {
  description = "Whether tasks get public addresses."
  type        = bool
}

variable "enabled" {
  description = "Whether the schedule runs."
  type        = bool
}

variable "fleets" {
  description = "By name: the policy's text, how it acts, the ARNs of its queues and the pattern of its group's ARN."
  type = map(object({
    policy     = string
    actuate    = string
    queue_arns = list(string)
    group_arn  = string
  }))
}

variable "image" {
  description = "Container image, with tag or digest."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
}

variable "name_prefix" {
  description = "Begins the names of cluster, tasks, schedules, roles and log group."
  type        = string
}

variable "state_table" {
  description = "Name and ARN of the state table."
  type        = object({ name = string, arn = string })
}

variable "subnet_ids" {
  description = "Subnets to run in, of one VPC."
  type        = list(string)
}

variable "vpc_id" {
  description = "The subnets' VPC."
  type        = string
}
