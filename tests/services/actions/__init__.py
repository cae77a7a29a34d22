"""Tests of what rules do."""
