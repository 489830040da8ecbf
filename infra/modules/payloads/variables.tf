variable "bucket_name" {
  description = "The bucket's name. Null: PREFIX-payloads-ACCOUNT-REGION."
  type        = string
}

variable "expire_days" {
  description = "After how many days a body that nobody deleted goes, from 28: its message may wait for 13, and the dead letter that a worker then sends for 14 more."
  type        = number

  validation {
    condition     = var.expire_days >= 28 && floor(var.expire_days) == var.expire_days
    error_message = "expire_days is ${var.expire_days}: give 28 or more whole days: a message may wait for 13, and its dead letter for 14 more."
  }
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with everything in it; false refuses while bodies are there."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts bodies. Null: S3's own keys."
  type        = string
}

variable "name_prefix" {
  description = "Begins the bucket's name."
  type        = string
}

variable "tags" {
  description = "Tags on the bucket."
  type        = map(string)
}
