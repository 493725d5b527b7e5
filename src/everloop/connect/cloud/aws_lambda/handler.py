"""The house as an AWS Lambda function. Written by everloop export lambda; it is yours to change.

What ``SECRETS`` names is read from Secrets Manager, below ``SECRETS_BELOW``, before the house reads its settings: no secret stands in the
function's own configuration.
"""

import os

if os.environ.get("SECRETS"):
    import boto3

    secrets = boto3.client("secretsmanager")
    for name in os.environ["SECRETS"].split():
        os.environ[name] = secrets.get_secret_value(SecretId=f"{os.environ['SECRETS_BELOW']}/{name}")["SecretString"]

from everloop.loop.serve.hosted import lambda_handler

handler = lambda_handler("/srv/project/project.py", stage="", house="/mnt/everloop/1")
