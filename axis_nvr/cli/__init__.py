"""``axis-nvr`` on the command line: what is on a disk, and what can be done about it."""
