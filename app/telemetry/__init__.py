"""Listeners of the gateway's signals: log lines and metrics. Nothing here decides anything about a call."""
