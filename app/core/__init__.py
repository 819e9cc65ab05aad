"""The vocabulary of the gateway: calls, streams, errors, ports. No I/O and no framework lives here."""
