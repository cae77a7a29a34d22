"""Recordings as files for those who take them away: what is in such a file, and who gets it."""
