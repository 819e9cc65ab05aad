"""
Stored answers, and answers that several callers wait for: what the stage `Cache` stands on, without I/O.

`keys` says which requests are the same, `policy` which of them and of their answers may be stored, `stored` what is
kept of an answer, `flight` and `broadcast` how calls share one that is still under way, `ports` what adapters do.
"""
