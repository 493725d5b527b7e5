"""Read a dashboard by the models Grafana publishes, and say it again; run in an environment of its own. In and out: JSON."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()
found = Dashboard.from_json(json.load(sys.stdin))
kinds = [[type(target).__module__.rsplit(".", 1)[-1] for target in getattr(panel, "targets", None) or []] for panel in found.panels]
json.dump({"kinds": kinds, "again": json.loads(json.dumps(found, cls=JSONEncoder))}, sys.stdout)
