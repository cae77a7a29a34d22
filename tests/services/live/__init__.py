"""Tests of axis_nvr.services.live."""
