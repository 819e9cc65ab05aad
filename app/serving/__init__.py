"""
The server around the application: sockets, signals, worker processes, and a graceful shutdown that loses no call.

Everything here exists once per process. The handling of a call is in `api`.
"""
