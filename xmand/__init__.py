"""The daemon that runs on each hypervisor host; see HACKING.md for the reading order."""
