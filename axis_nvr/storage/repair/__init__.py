"""What an unclean stop leaves, finished; what an index does not know, taken in."""
