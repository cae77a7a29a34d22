"""Bytes to values and back: one module for each format, no state, no I/O."""
