output "egress" {
  description = "What a security group in this network may be let out to: the endpoints' security group and the prefix lists of S3 and DynamoDB, by service."
  value = {
    security_group_id = aws_security_group.endpoints.id
    prefix_list_ids   = { for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.prefix_list_id }
  }
}

output "subnet_ids" {
  description = "The private subnets, one a zone; what uses them waits for the ways out."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]

  # An instance that boots before its routes and endpoints are there cannot install itself.
  depends_on = [
    aws_route_table_association.private,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_ingress_rule.https,
  ]
}

output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}
