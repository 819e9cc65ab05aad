"""
Traffic statistics and limits of the process, which outlive configurations.

`memory` combines `loads` (per target), slots in use and the gate of `admission`; `retry_budget` bounds the calls that
the gateway adds to those of its callers. Nothing here depends on `Call`.
"""
