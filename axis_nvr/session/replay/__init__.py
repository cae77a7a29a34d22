"""Playback of what was recorded, without I/O: what is sent, in what order, how marked, and when."""
