"""
Money: what tokens cost, what may be spent, and what was used. The words stand in `money.py`, as callers have budgets.
"""
