"""Twisted shells around the sessions: TCP, TLS, UDP, multicast, HTTP tunnel."""
