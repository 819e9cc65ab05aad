"""
Explain what the gateway would do with a call, without executing it.

Each feature that affects the outcome contributes a section: an `Explainer` in `calls` (what applies once per call) or
`targets` (where the call goes), listed in `app/assembly/explaining.py` in the order of the pipeline. Explainers only
read and compute: they change no state, take no slot or round-robin turn, spend nothing and call no provider.
"""
