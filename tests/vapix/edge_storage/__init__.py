"""Tests of the edge storage APIs."""
