"""
Rate limits: which rules a call meets, what it asks of their buckets, and what it has used in the end.

The words stand in `rules.py` and the arithmetic in `gcra.py`, because callers and journals speak of them as well.
"""
