"""
Wire formats that the API and the providers share: one definition decodes clients' requests and encodes upstream ones.

Only data types, in a module per dialect; the translations are in `app/api/dialects` (clients) and `app/providers`
(upstream).
"""
