"""Tests of the platform APIs."""
