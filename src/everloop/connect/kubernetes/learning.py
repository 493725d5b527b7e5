"""Who turns the house: a worker that does what is due, and a CronJob that learns by the calendar or when somebody says so."""

from __future__ import annotations

from typing import Any

from everloop.connect.kubernetes.facts import Deployed
from everloop.connect.kubernetes.pod import container, pod

DAY = 86_400
NIGHTLY = "0 3 * * *"


def worker(said: Deployed) -> dict[str, Any]:
    """Carries out what is due: turns, alerts, sealing. Two beside each other share the work, so that a new image takes over before the old
    one has ended; what a node took with it goes on elsewhere within 30 seconds."""
    one = container(said, "worker", f"{said.name}-training", ["worker"], said.learning)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{said.name}-worker", "labels": dict(said.labels)},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 5,
            "selector": {"matchLabels": said.selects("worker")},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": pod(said, "worker", one, terminationGracePeriodSeconds=60),
        },
    }


def cron(said: Deployed) -> dict[str, Any]:
    """A candidate by the calendar, in UTC, or by hand (``kubectl create job --from=cronjob/…``) where nobody says when: through the same
    gates as any. One that is still under way is not begun beside itself; one that was missed is made up for within an hour."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"{said.name}-retrain", "labels": dict(said.labels)},
        "spec": {
            "schedule": said.retrain or NIGHTLY,
            "suspend": said.retrain is None,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"metadata": {"labels": dict(said.labels)}, "spec": _work(said)},
        },
    }


def _work(said: Deployed) -> dict[str, Any]:
    # A turn that was killed goes on where it stopped, so to begin again costs little.
    one = container(said, "retrain", f"{said.name}-training", ["turn", "--retrain"], said.learning)
    return {
        "backoffLimit": 2,
        "activeDeadlineSeconds": DAY,
        "ttlSecondsAfterFinished": 7 * DAY,
        "template": pod(said, "retrain", one, restartPolicy="Never", terminationGracePeriodSeconds=60),
    }
