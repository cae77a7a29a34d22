"""Tests of `axis_nvr.services.camera_events`."""
