"""
The server around the application: sockets, signals, worker processes, and an end that loses no call.

Everything here runs once for a process. What a call meets is in `api`.
"""
