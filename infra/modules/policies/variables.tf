variable "folder" {
  description = "Folder of scaling policies, one *.yaml a fleet."
  type        = string
}
