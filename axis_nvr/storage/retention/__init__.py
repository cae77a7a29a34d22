"""Removing what is oldest: how much must stay free, what may go, and how fast."""
