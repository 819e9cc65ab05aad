"""
The response cache and request coalescing: the logic behind the stage `Cache`, without I/O.

`keys` decides which requests are the same, `policy` which requests and answers are cacheable. `stored` is a cache
entry. `single_flight`, `flight_carrier` and `broadcast` let calls share one upstream call, `serving` makes replies.
`ports` are the protocols that adapters implement.
"""
