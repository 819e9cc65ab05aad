"""What an operator sees while the gateway runs: events as they happen, figures of the moment, the request log."""
