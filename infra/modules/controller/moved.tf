# What was there when Fargate was the only runtime. With `runtime = "ecs"` it stays what it is.

moved {
  from = aws_cloudwatch_log_group.this
  to   = aws_cloudwatch_log_group.this[0]
}

moved {
  from = aws_ecs_cluster.this
  to   = aws_ecs_cluster.this[0]
}

moved {
  from = aws_iam_role.execution
  to   = aws_iam_role.execution[0]
}

moved {
  from = aws_iam_role_policy.execution
  to   = aws_iam_role_policy.execution[0]
}

moved {
  from = aws_iam_role.scheduler
  to   = aws_iam_role.scheduler[0]
}

moved {
  from = aws_iam_role_policy.scheduler
  to   = aws_iam_role_policy.scheduler[0]
}

moved {
  from = aws_scheduler_schedule_group.this
  to   = aws_scheduler_schedule_group.this[0]
}

moved {
  from = aws_security_group.controller
  to   = aws_security_group.controller[0]
}

moved {
  from = aws_vpc_security_group_egress_rule.https
  to   = aws_vpc_security_group_egress_rule.https[0]
}

# A schedule and a task definition a fleet have become one for all. None holds anything: what a
# round needs is in the state table.
removed {
  from = aws_scheduler_schedule.fleet

  lifecycle {
    destroy = true
  }
}

removed {
  from = aws_ecs_task_definition.fleet

  lifecycle {
    destroy = true
  }
}
