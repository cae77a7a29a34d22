"""Blocks, recordings and their index: the only code that touches the disk."""
