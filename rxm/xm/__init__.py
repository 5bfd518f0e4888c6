"""rxm where it is called `xm` or `xl`: what those programs were to people and scripts, on this machine alone."""
