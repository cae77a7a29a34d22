"""RTP payloads to frames, one module for each payload format."""
