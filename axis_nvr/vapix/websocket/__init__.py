"""WebSockets of the recorder: events, and RTSP for browsers."""
