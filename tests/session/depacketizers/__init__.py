"""Tests of the depacketizers."""
