# What the controller calls, whatever it runs on, and on what.

locals {
  grouped  = { for name, fleet in var.fleets : name => fleet if fleet.group_arn != null }
  serviced = { for name, fleet in var.fleets : name => fleet.ecs_service if fleet.ecs_service != null }
  tracking = { for name, fleet in local.grouped : name => fleet if fleet.actuate == "target_tracking" }

  policy_bucket_arn = "arn:${local.partition}:s3:::${var.policies.bucket}"

  ecs_arn      = "arn:${local.partition}:ecs:${local.region}:${local.account_id}"
  cluster_arns = distinct([for service in local.serviced : "${local.ecs_arn}:cluster/${service.cluster}"])
  service_arns = [for service in local.serviced : "${local.ecs_arn}:service/${service.cluster}/${service.service}"]

  # The state table's partitions are told apart by a prefix: PREFIX#FLEET.
  in_partitions = { for prefix, names in {
    controller = keys(var.fleets)
    journal    = keys(var.fleets)
    leave      = keys(local.serviced)
    reports    = keys(var.fleets)
    } : prefix => {
    "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = [for name in names : "${prefix}#${name}"] }
  } }

  permissions = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.observe_statements,
      local.act_statements,
      local.state_statements,
      local.policy_statements,
      local.key_statements,
    )
  })

  observe_statements = concat(
    [
      {
        Sid      = "ReadQueues"
        Effect   = "Allow"
        Action   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
        Resource = distinct(flatten([for fleet in var.fleets : fleet.queue_arns]))
      },
      {
        # The ages of queues' oldest messages. The action knows neither resources nor conditions,
        # hence the *; it reads metrics and nothing else.
        Sid      = "ReadAges"
        Effect   = "Allow"
        Action   = ["cloudwatch:GetMetricData"]
        Resource = ["*"]
      },
      {
        # Metrics have no ARN, hence the *; the namespace is what can be held to.
        Sid       = "PublishMetrics"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = ["*"]
        Condition = { StringEquals = { "cloudwatch:namespace" = "Weir/Fleet" } }
      },
    ],
    length(local.grouped) == 0 ? [] : [{
      # Describing knows neither resources nor conditions that would narrow it, hence the *; none
      # of these changes anything.
      Sid    = "ReadGroups"
      Effect = "Allow"
      Action = concat(
        ["autoscaling:DescribeAutoScalingGroups", "ec2:DescribeInstances"],
        length(local.tracking) == 0 ? [] : ["autoscaling:DescribePolicies"],
      )
      Resource = ["*"]
    }],
    # Filtered, not chosen by a condition, whose two sides would have to be of one type.
    [for statement in [
      {
        Sid      = "ReadServices"
        Effect   = "Allow"
        Action   = ["ecs:DescribeServices"]
        Resource = local.service_arns
      },
      {
        # Tasks are named by ECS, hence the *, in these clusters alone.
        Sid      = "ReadTasks"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTasks"]
        Resource = [for service in local.serviced : "${local.ecs_arn}:task/${service.cluster}/*"]
      },
      {
        # The one resource that listing knows is a container instance, which Fargate has none of,
        # hence the *; the cluster is what can be held to.
        Sid       = "ListTasks"
        Effect    = "Allow"
        Action    = ["ecs:ListTasks"]
        Resource  = ["*"]
        Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arns } }
      },
    ] : statement if length(local.serviced) > 0],
  )

  act_statements = concat(
    length(local.grouped) == 0 ? [] : [{
      # By ARN and, where a group of that name is made anew by somebody else, by its tag.
      Sid       = "SizeGroups"
      Effect    = "Allow"
      Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
      Resource  = [for fleet in local.grouped : fleet.group_arn]
      Condition = { StringEquals = { "aws:ResourceTag/weir:fleet" = keys(local.grouped) } }
    }],
    length(local.tracking) == 0 ? [] : [{
      # Only where a policy says `actuate: target_tracking`.
      Sid       = "SetTargets"
      Effect    = "Allow"
      Action    = ["autoscaling:PutScalingPolicy"]
      Resource  = [for fleet in local.tracking : fleet.group_arn]
      Condition = { StringEquals = { "aws:ResourceTag/weir:fleet" = keys(local.tracking) } }
    }],
    length(local.serviced) == 0 ? [] : [{
      Sid      = "SizeServices"
      Effect   = "Allow"
      Action   = ["ecs:UpdateService"]
      Resource = local.service_arns
    }],
  )

  state_statements = concat(
    [
      {
        # The lease and the history; the history is written in a transaction that looks at the lease.
        Sid       = "KeepState"
        Effect    = "Allow"
        Action    = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
        Resource  = [var.state_table.arn]
        Condition = local.in_partitions["controller"]
      },
      {
        Sid       = "WriteJournal"
        Effect    = "Allow"
        Action    = ["dynamodb:PutItem"]
        Resource  = [var.state_table.arn]
        Condition = local.in_partitions["journal"]
      },
      {
        Sid       = "ReadReports"
        Effect    = "Allow"
        Action    = ["dynamodb:Query"]
        Resource  = [var.state_table.arn]
        Condition = local.in_partitions["reports"]
      },
    ],
    length(local.serviced) == 0 ? [] : [{
      # ECS picks which task it stops; a request to leave goes to the one that should. Those that
      # were asked before are read, so that they are not counted on.
      Sid       = "AskTasksToLeave"
      Effect    = "Allow"
      Action    = ["dynamodb:PutItem", "dynamodb:Query"]
      Resource  = [var.state_table.arn]
      Condition = local.in_partitions["leave"]
    }],
  )

  policy_statements = [
    {
      # Any object below the prefix, hence the *: a fleet's file comes and goes with the fleet.
      # Older versions as well, for the last good one stays in force.
      Sid      = "ReadPolicies"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = ["${local.policy_bucket_arn}/${var.policies.prefix}*"]
    },
    {
      # The * stands for the rest of a name below the prefix.
      Sid       = "ListPolicies"
      Effect    = "Allow"
      Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource  = [local.policy_bucket_arn]
      Condition = { StringLike = { "s3:prefix" = "${var.policies.prefix}*" } }
    },
  ]

  # S3 and DynamoDB decrypt with the caller's right to the key; so does Lambda with its variables.
  key_statements = var.kms_key_arn == null ? [] : [{
    Sid      = "ReadEncrypted"
    Effect   = "Allow"
    Action   = ["kms:Decrypt"]
    Resource = [var.kms_key_arn]
    Condition = { StringEquals = { "kms:ViaService" = [for service in concat(["dynamodb", "s3"], local.in_lambda ? ["lambda"] : []) :
    "${service}.${local.region}.${local.dns_suffix}"] } }
  }]
}
