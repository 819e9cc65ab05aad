"""
An answer that broke off in the middle and is continued by another target.

`continuing` says which requests that may be done to and how the other target is asked, `splicing` how two texts become
one, `relaying` how the events of the second stream look like those of the first. Pure.
"""
