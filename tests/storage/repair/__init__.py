"""Repair of blocks, adoption of what the index does not know, rebuild."""
