"""What both ends of xman share: the wire, the session, the verbs, the results and the configuration."""

__version__ = "0.2.0"
