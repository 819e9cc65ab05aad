"""
Mid-stream recovery: a streamed answer that broke off is continued by another target.

`continuing` decides which answers may be continued, and makes the request for it. `splicing` joins the two texts.
`relaying` gives the events of the second stream the form of the first. Pure.
"""
