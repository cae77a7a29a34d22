"""Tests of reading a disk."""
