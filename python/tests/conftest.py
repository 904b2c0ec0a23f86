"""Hypothesis without deadlines (the machine may be busy) and without a database in the source tree."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "flowrt", deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("flowrt")
