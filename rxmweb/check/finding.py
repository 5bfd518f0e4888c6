"""What `rxmweb check` finds: as it should be; worth knowing; to be mended before the portal is of use."""

OK, NOTE, BAD = "ok", "note", "BAD"
# How it is, and a line that says so, with the remedy.
Finding = tuple[str, str]
