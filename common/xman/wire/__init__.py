"""The remctl protocol, versions 2 and 3, as pure functions and state machines.

Nothing in this package touches a socket, a clock or GSSAPI: bytes go in, events and bytes come out. The source is the
remctl protocol specification (draft-allbery-remctl-00); where the reference server deviates from it, a comment says
what we do. Read in this order: `constants`, `tokens`, `messages`, `server`, `client`.
"""
