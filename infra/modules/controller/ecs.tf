# runtime = "ecs": a Fargate task a minute, one for all fleets.

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Container insights would cost more than the controller does; its rounds are told in its log and in metrics of its own
  count = local.on_fargate ? 1 : 0

  name = local.name
  tags = var.tags
}

resource "aws_ecs_task_definition" "this" {
  count = local.on_fargate ? 1 : 0

  family                   = local.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256 # Fargate's least; a round takes milliseconds of it
  memory                   = 512
  task_role_arn            = aws_iam_role.controller.arn
  execution_role_arn       = aws_iam_role.execution[0].arn
  tags                     = var.tags

  runtime_platform {
    cpu_architecture        = upper(var.architecture)
    operating_system_family = "LINUX"
  }

  container_definitions = jsonencode([{
    name                   = "weir"
    image                  = var.image
    command                = ["run"]
    essential              = true
    readonlyRootFilesystem = true
    # Sorted, as ECS keeps them.
    environment = [for name, value in merge(local.environment, { AWS_REGION = local.region }) : { name = name, value = value }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this[0].name
        awslogs-region        = local.region
        awslogs-stream-prefix = "rounds"
      }
    }
  }])
}

# The controller calls; nobody calls it.
resource "aws_security_group" "controller" {
  #checkov:skip=CKV2_AWS_5:The schedule gives it to the tasks that it starts
  count = local.on_fargate ? 1 : 0

  name_prefix = "${local.name}-"
  description = "Weir controller: HTTPS out, nothing in"
  vpc_id      = var.vpc_id
  tags        = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

# HTTPS to anywhere: AWS's endpoints have no fixed addresses.
resource "aws_vpc_security_group_egress_rule" "https" {
  count = local.on_fargate && var.egress == null ? 1 : 0

  security_group_id = aws_security_group.controller[0].id
  description       = "AWS endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

# In a network without a way out: its endpoints, and no further.
resource "aws_vpc_security_group_egress_rule" "endpoints" {
  count = local.on_fargate && var.egress != null ? 1 : 0

  security_group_id            = aws_security_group.controller[0].id
  description                  = "Interface endpoints"
  referenced_security_group_id = var.egress.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "gateways" {
  for_each = local.on_fargate && var.egress != null ? var.egress.prefix_list_ids : {}

  security_group_id = aws_security_group.controller[0].id
  description       = "Gateway endpoint of ${each.key}"
  prefix_list_id    = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}
