"""
The wire forms that stand on both sides of the gateway: what clients send is read with what providers are sent.

Plain shapes, named after the dialect; the translations are in `app/api/dialects` (in front) and `app/providers`
(behind).
"""
