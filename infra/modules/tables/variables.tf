variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts both tables. Null: the key that AWS manages."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Begins the tables' names: PREFIX-jobs, PREFIX-state."
  type        = string
}

variable "request_units_max" {
  description = "The most read and write request units a second of each table. Null: AWS's quota."
  type        = number
  default     = null
}

variable "tags" {
  description = "Tags on both tables."
  type        = map(string)
  default     = {}
}
