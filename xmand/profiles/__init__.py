"""Profiles: domains whose disks many clients begin with, at each start, and which one at a time may change."""
