"""Identities that others vouch for: signed tokens (JWT), and the keys of those who sign them."""
