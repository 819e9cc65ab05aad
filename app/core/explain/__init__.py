"""
What would happen to a call, without making it.

Each feature that has a say in it contributes a section: a file here with an `Explainer`, which is named in
`app/assembly/explaining.py` in the order of the pipeline. A section asks and computes; it changes nothing, takes no
turn and no place, spends nothing and calls no provider.
"""
