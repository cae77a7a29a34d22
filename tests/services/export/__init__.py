"""Tests of what is in exported files."""
