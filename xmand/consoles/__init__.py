"""Consoles for many at a time: one stream of libvirt's for each, shared by all who look at it or type.

`hub` shares one out, `viewer` is one of those who do, `attended` serves him on the event loop, and `kept` reads what
was printed while nobody looked.
"""
