"""The batch side: what is observed, what is decided, and how the host's resources move."""
