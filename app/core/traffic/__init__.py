"""
What a process knows of its own traffic, and who may add to it. It outlives configurations.

`memory` holds it all together: `loads` of the targets, places in use, and the gate of `admission`; `extra_calls` bounds
what the gateway sends on top of its callers' calls. Nothing here knows what a call is.
"""
