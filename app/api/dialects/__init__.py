"""The forms in which clients speak to the gateway: one module for each, all behind the port in `port.py`."""
