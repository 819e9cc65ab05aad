"""
Rate limits: which rules apply to a call, what it claims of their buckets, and what it has used in the end.

The types are in `rules.py` and the algorithm in `gcra.py`, because callers and journals use them as well.
"""
