"""
What would happen to a call, without making it.

Each feature that has a say in it contributes a section: an `Explainer` in `calls` (what happens once to a call) or
`targets` (which it goes to), named in `app/assembly/explaining.py` in the order of the pipeline. A section asks and
computes; it changes nothing, takes no turn and no place, spends nothing and calls no provider.
"""
