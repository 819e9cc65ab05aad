"""Verify identities issued elsewhere: signed tokens (JWT), and the key sets (JWKS) of their issuers."""
