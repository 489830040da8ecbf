variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted."
  type        = bool
}

variable "name_prefix" {
  description = "Begins the tables' names: PREFIX-jobs, PREFIX-state."
  type        = string
}
