"""Kubernetes' own schemas judge manifests: a JSON list of them on stdin, what is wrong with each (or null) on stdout."""

import json
import sys

import kubernetes_validate

wrong = []
for manifest in json.load(sys.stdin):
    try:
        kubernetes_validate.validate(manifest, sys.argv[1], strict=True)
        wrong.append(None)
    except kubernetes_validate.ValidationError as error:
        wrong.append(f"{list(error.path)}: {error.message}"[:500])
print(json.dumps(wrong))
