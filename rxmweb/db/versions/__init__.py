"""The steps of the schema, one file each, in the order of their numbers; `upgrade` says what a step may do."""
