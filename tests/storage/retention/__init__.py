"""Tests of what is removed from a disk, and when."""
