# IAM policies for whoever uses what is made here, given out as JSON: nobody gets them by themselves.

locals {
  queue_arns       = [for name in sort(keys(module.queue)) : module.queue[name].arn]
  dead_letter_arns = [for name in sort(keys(module.queue)) : module.queue[name].dead_letter_arn]
  policy_objects   = "${module.artifacts.bucket.arn}/${module.artifacts.policies.prefix}*"

  # What a customer's key is used for, through the services that hold the data and in no other way.
  key_statements = [for arn in var.kms_key_arn[*] : {
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [arn]
    Condition = { StringEquals = { "kms:ViaService" = [
      for service in ["dynamodb", "s3", "sqs"] : "${service}.${data.aws_region.current.name}.${data.aws_partition.current.dns_suffix}"
    ] } }
  }]

  producer_statements = concat(
    [
      {
        Sid      = "SubmitJobs"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueUrl", "sqs:SendMessage"]
        Resource = local.queue_arns
      },
      {
        Sid      = "ReadResults"
        Effect   = "Allow"
        Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
        Resource = [module.tables.jobs.arn]
      },
    ],
    # A body is taken back where its message could not be sent.
    [for bucket in local.payload_bucket[*] : {
      Sid      = "StoreLargeBodies"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:PutObject"]
      Resource = [bucket.object_arn]
    }],
    local.key_statements,
  )

  operator_statements = concat(
    [for statement in local.producer_statements : statement if statement.Sid != "UseKey"],
    [
      {
        Sid      = "LookAtQueues"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListDeadLetterSourceQueues"]
        Resource = concat(local.queue_arns, local.dead_letter_arns)
      },
      {
        # Letters are read, sent back to their queue, and deleted.
        Sid      = "RedriveDeadLetters"
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
        Resource = local.dead_letter_arns
      },
      {
        Sid      = "ReopenJobs"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:UpdateItem"]
        Resource = [module.tables.jobs.arn]
      },
      {
        Sid      = "ReadState"
        Effect   = "Allow"
        Action   = ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:GetItem", "dynamodb:Query"]
        Resource = [module.tables.state.arn]
      },
      {
        Sid      = "ReadPolicies"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [local.policy_objects]
      },
      {
        Sid       = "ListPolicies"
        Effect    = "Allow"
        Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
        Resource  = [module.artifacts.bucket.arn]
        Condition = { StringLike = { "s3:prefix" = ["${module.artifacts.policies.prefix}*"] } }
      },
      {
        # Each of these knows neither resources nor conditions that would narrow it; none changes
        # anything.
        Sid    = "LookAtFleets"
        Effect = "Allow"
        Action = concat(
          ["cloudwatch:GetMetricData"],
          length(local.ec2_fleets) == 0 ? [] : ["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks", "autoscaling:DescribePolicies", "ec2:DescribeInstances"],
        )
        Resource = ["*"]
      },
    ],
    length(local.ecs_fleets) == 0 ? [] : [{
      # Of these alone a service's or a task's ARN could be named; ListTasks takes container
      # instances, which Fargate has none of. The cluster is what can be held to.
      Sid       = "LookAtServices"
      Effect    = "Allow"
      Action    = ["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ListTasks"]
      Resource  = ["*"]
      Condition = { ArnEquals = { "ecs:cluster" = [for name in local.ecs_fleets : "arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:cluster/${module.policies.by_name[name].ecs_service.cluster}"] } }
    }],
    # `check` looks whether the bucket is there, `redrive` shows and sends large bodies on.
    flatten([for bucket in local.payload_bucket[*] : [
      { Sid = "LookAtPayloads", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [bucket.arn] },
      { Sid = "ReadPayloads", Effect = "Allow", Action = ["s3:GetObject"], Resource = [bucket.object_arn] },
    ]]),
    local.key_statements,
  )
}
