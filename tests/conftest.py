"""Property tests are never timed: how long an example takes says something of the machine and nothing of what is tried."""

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
