"""Tests of axis_nvr.session.packetizers."""
