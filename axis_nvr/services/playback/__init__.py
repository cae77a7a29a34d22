"""Recordings played over RTSP."""
