"""Tests of axis_nvr.session.server."""
