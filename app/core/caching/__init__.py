"""
Stored answers, and answers that several callers wait for: what the stage `Cache` stands on, without I/O.

`keys` says which requests are the same, `policy` which of them and of their answers may be stored, `stored` what is
kept of an answer, `single_flight`, `flight_carrier` and `broadcast` how calls share one that is still under way,
`serving` how a call gets either, `ports` what adapters do.
"""
