"""
Spending: prices of tokens, budgets, and usage reports. The types are in `money.py`, because callers have budgets, too.
"""
