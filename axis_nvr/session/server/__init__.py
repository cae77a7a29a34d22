"""The server's side of RTSP: requests in, answers out, sessions between."""
