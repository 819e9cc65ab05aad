"""
Virtual keys, by which callers are known: what one is, who keeps it, who presents it and who makes it.

The words for whoever was found stand in `identity.py`; the keys of providers are `provider_keys.py`.
"""
