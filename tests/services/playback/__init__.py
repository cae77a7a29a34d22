"""Tests of axis_nvr.services.playback."""
