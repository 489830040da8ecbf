# What a worker calls, and on what: its own queues, its jobs' records, its own fleet's reports.

locals {
  statements = concat(
    [
      {
        # A job that is put off for longer than SQS can hide its message is sent again, to the
        # queue it came from.
        Sid    = "Consume"
        Effect = "Allow"
        Action = [
          "sqs:ChangeMessageVisibility",
          "sqs:DeleteMessage",
          "sqs:GetQueueAttributes",
          "sqs:GetQueueUrl",
          "sqs:ReceiveMessage",
          "sqs:SendMessage",
        ]
        Resource = [for queue in var.queues : queue.arn]
      },
      {
        Sid      = "GiveUpOnPoison"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = [for queue in var.queues : queue.dead_letter_arn]
      },
      {
        # Transactions need no action of their own, only those of their parts. PutItem is how a
        # job without a claim ends (idempotency: once).
        Sid      = "KeepJobRecords"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource = [var.jobs_table.arn]
      },
      {
        Sid       = "Report"
        Effect    = "Allow"
        Action    = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
        Resource  = [var.state_table.arn]
        Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = ["reports#${var.name}"] } }
      },
    ],
    var.payload_bucket == null ? [] : [
      {
        # The prefix is the programs' own. Payloads go when their jobs are done; producers put them.
        Sid      = "TakePayloads"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject"]
        Resource = ["${var.payload_bucket.arn}/weir-payloads/*"]
      },
      {
        # Without it S3 answers 403 for what is not there, and a lost payload looks like a lost
        # permission (S3 API Reference, GetObject).
        Sid      = "TellMissingPayloads"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [var.payload_bucket.arn]
      },
    ],
    var.kms_key_arn == null ? [] : [
      {
        # Only for what these services keep under the key, never to encrypt or decrypt by itself.
        Sid      = "UseTheKeyThroughServices"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = [
          for service in ["dynamodb", "s3", "sqs"] : "${service}.${data.aws_region.current.name}.${data.aws_partition.current.dns_suffix}"
        ] } }
      },
    ],
  )
}
