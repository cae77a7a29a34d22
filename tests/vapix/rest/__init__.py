"""Tests of the device configuration APIs."""
