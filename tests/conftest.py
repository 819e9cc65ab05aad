"""What holds for the whole suite: a busy machine is no failure, so properties have no deadline."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if settings.get_current_profile_name() == "default":  # else a plugin of the command line has chosen another one
    settings.load_profile("unhurried")
