# Written by everloop export terraform, anew by the next one: what this project needs.
locals {
  name    = "everloop-house"
  stage   = ""
  redis   = true
  secrets = ["SLACK_TOKEN"]
  port    = 8321
  drain   = 15
}
