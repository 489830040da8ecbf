variable "region" {
  description = "AWS region, such as eu-west-1."
  type        = string
}

variable "controller_artifact" {
  description = "The controller's zip for Lambda: `{ path }`, a file on this machine, or `{ bucket, key, sha256 }` of an object in S3."
  type = object({
    path   = optional(string)
    bucket = optional(string)
    key    = optional(string)
    sha256 = optional(string)
  })
}

variable "worker" {
  description = "The worker's artifact, `{ path }` or `{ bucket, key, sha256 }`, and the command that does a job."
  type = object({
    artifact = object({
      path   = optional(string)
      bucket = optional(string)
      key    = optional(string)
      sha256 = optional(string)
    })
    exec = optional(string)
  })
}

variable "worker_image" {
  description = "Container image with weir-worker on its path and what the handler needs, with its tag or digest: what the fleet on Fargate runs."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted."
  type        = bool
  default     = true
}
