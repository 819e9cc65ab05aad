"""The wire formats of clients: one module or package for each, behind the interface in `port.py`."""
