# Written by everloop export terraform, anew by the next one: what this project needs.
locals {
  name    = "everloop-house"
  stage   = ""
  secrets = ["SLACK_TOKEN"]
  port    = 8321
  drain   = 15
  door    = 0
  files   = ["project.py", "everloop.toml", "requirements.txt"]
}
