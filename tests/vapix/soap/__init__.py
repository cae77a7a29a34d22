"""Tests of ``axis_nvr.vapix.soap``."""
