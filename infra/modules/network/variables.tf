variable "cidr" {
  description = "IPv4 range of the network, /16 to /24; each zone gets a quarter."
  type        = string

  validation {
    condition     = can(cidrsubnet(var.cidr, 2, 3)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 24, false)
    error_message = "network.cidr is \"${var.cidr}\": give an IPv4 range from /16 to /24, such as 10.79.0.0/16."
  }
}

variable "flow_log_days" {
  description = "How long the flow log is kept, in days: one of the periods CloudWatch Logs offers. Null: no flow log."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the flow log. Null: CloudWatch's own."
  type        = string
}

variable "more_services" {
  description = "More services to reach, by the last part of the endpoint's name, such as kms or secretsmanager: what the handlers call."
  type        = list(string)

  validation {
    condition     = alltrue([for name in var.more_services : can(regex("^[a-z0-9][a-z0-9.-]*$", name))]) && length(setintersection(var.more_services, ["s3", "dynamodb"])) == 0
    error_message = "network.services is ${jsonencode(var.more_services)}: give the last part of endpoint names, such as kms or ecr.api; s3 and dynamodb are always there."
  }
}

variable "name_prefix" {
  description = "Begins the names."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds the flow log's role. Null: none."
  type        = string
}

variable "services" {
  description = "Services that Weir's programs call, by the last part of the endpoint's name."
  type        = list(string)
}

variable "tags" {
  description = "Tags on everything that can carry them."
  type        = map(string)
}

variable "zones" {
  description = "How many availability zones, 1 to 3."
  type        = number

  validation {
    condition     = contains([1, 2, 3], var.zones)
    error_message = "network.zones is ${var.zones}: give 1, 2 or 3."
  }
}
