"""
Whole answers and streamed ones: how each is made of the other.

`assemble` adds the chunks of a stream up, by the rules of `pieces`; `replay` cuts a whole answer into chunks;
`usage_shown` gives each client of a shared stream the usage it asked for. Pure.
"""
