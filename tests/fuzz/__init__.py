"""Fuzz tests: each states in the first line of its docstring what no input may do."""

from hypothesis import HealthCheck, settings

# Enough to find again, within seconds, every fault that was ever found here; run with more when the wire code changes.
BOUNDED = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
