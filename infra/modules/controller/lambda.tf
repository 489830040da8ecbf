# runtime = "lambda": one function, whose `bootstrap` is the controller itself.

locals {
  function_name = local.name
  function_arn  = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${local.function_name}"

  # Lambda speaks of digests in Base64, sha256sum in hex: three hex digits are two of Base64's. A
  # digest's 64 digits need two more, whose zeros Base64 writes as "=".
  base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  code_groups   = var.artifact == null ? [] : [for at in range(0, 66, 3) : parseint(substr("${var.artifact.sha256}00", at, 3), 16)]
  code_digits   = flatten([for group in local.code_groups : [floor(group / 64), group % 64]])
  code_base64   = join("", [for digit in local.code_digits : substr(local.base64_digits, digit, 1)])
  code_digest   = "${substr(local.code_base64, 0, 43)}="
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Tracing is a choice, off by default: a round logs each step with its reason
  #checkov:skip=CKV_AWS_115:One at a time is reserved, unless the account is too small to reserve any
  #checkov:skip=CKV_AWS_116:Failures go to the on-failure destination, which says the error; a dead-letter queue does not
  #checkov:skip=CKV_AWS_117:It calls AWS's endpoints alone, over TLS, and nobody can call in; a VPC would add endpoints to pay for
  #checkov:skip=CKV_AWS_173:The variables name a bucket and a table, no secrets; a customer's key encrypts them where one is given
  #checkov:skip=CKV_AWS_272:The code's digest is given, and checked after each change
  count = local.in_lambda ? 1 : 0

  function_name                  = local.function_name
  description                    = "Weir controller: rounds of all fleets"
  architectures                  = [var.architecture]
  handler                        = "bootstrap"
  kms_key_arn                    = var.kms_key_arn
  memory_size                    = 128 # Lambda's least; a round takes milliseconds of processor time
  package_type                   = "Zip"
  reserved_concurrent_executions = var.reserved_concurrency
  role                           = aws_iam_role.controller.arn
  runtime                        = "provided.al2023"
  s3_bucket                      = var.artifact.bucket
  s3_key                         = var.artifact.key
  source_code_hash               = local.code_digest
  tags                           = var.tags
  timeout                        = 60

  environment {
    variables = local.environment
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this[0].name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  depends_on = [aws_iam_role_policy.controller]
}

# What Lambda really took. Read after each change, which the function's own attributes would not
# wait for.
data "aws_lambda_function" "this" {
  count = local.in_lambda ? 1 : 0

  function_name = local.function_name

  lifecycle {
    postcondition {
      condition     = self.code_sha256 == local.code_digest
      error_message = "The function runs code with the digest ${self.code_sha256} (Base64); s3://${var.artifact.bucket}/${var.artifact.key} was said to have ${local.code_digest}. The object is another one: give the sha256 that it has, or upload what was meant under another key."
    }
  }

  depends_on = [aws_lambda_function.this]
}

# Asynchronous, as the scheduler invokes: a late minute is worth nothing, so it is not tried again.
resource "aws_lambda_function_event_invoke_config" "this" {
  count = local.in_lambda ? 1 : 0

  function_name                = aws_lambda_function.this[0].function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0

  # With the function's error and the request, which a dead-letter queue of the function lacks.
  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters[0].arn
    }
  }
}
