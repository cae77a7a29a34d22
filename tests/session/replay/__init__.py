"""Tests of axis_nvr.session.replay."""
