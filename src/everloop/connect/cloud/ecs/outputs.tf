# Written by everloop export terraform; it is yours to change.
output "address" {
  value = "https://${aws_lb.house.dns_name}"
}

output "bucket" {
  value = aws_s3_bucket.house.bucket
}

output "database" {
  value = aws_db_instance.house.endpoint
}

output "house_folders" {
  value       = { access_point = aws_efs_access_point.house.arn, security_group = aws_security_group.tasks.id }
  description = "What a Lambda function of the same house mounts, and what it has to be in to reach the stores"
}
