"""
Virtual keys, which identify callers: their types, their storage, the check of credentials, and their administration.

The types of callers are in `identity.py`, the keys of providers in `provider_keys.py`.
"""
