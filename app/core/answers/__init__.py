"""
Conversion between whole answers and streamed ones.

`assemble` adds up the chunks of a stream, by the rules of `pieces`. `replay` cuts a whole answer into chunks.
`usage_shown` shows usage to those clients of a shared stream that asked for it. Pure.
"""
