variable "files" {
  description = "Files on this machine to upload, by path as seen from where terraform runs."
  type        = set(string)

  validation {
    condition     = alltrue([for path in var.files : fileexists(path)])
    error_message = "These artifacts are not there: ${join(", ", [for path in var.files : path if !fileexists(path)])}. `make dist` builds them; give their paths as seen from where terraform runs."
  }
}

variable "force_destroy" {
  description = "Whether the bucket is deleted with everything in it; false refuses while objects are there."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts objects. Null: S3's own keys."
  type        = string
}

variable "name_prefix" {
  description = "Begins the bucket's name: PREFIX-artifacts-ACCOUNT-REGION."
  type        = string
}

variable "noncurrent_days" {
  description = "How long a replaced version is kept, in days, from 1; the newest ten are kept for ever."
  type        = number

  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days is ${var.noncurrent_days}: give a whole number of days, from 1."
  }
}

variable "policies" {
  description = "Scaling policies, by name: the YAML text."
  type        = map(string)
}

variable "tags" {
  description = "Tags on bucket and objects."
  type        = map(string)
}
