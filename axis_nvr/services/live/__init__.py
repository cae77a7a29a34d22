"""Live streams and events for RTSP clients: one packetization for all who watch the same."""
