"""Tests of what makes the recorder's own events."""
