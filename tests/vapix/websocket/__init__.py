"""Tests of the WebSockets."""
