"""Protocol state without I/O: time comes in as `now`, bytes go in and out."""
