"""Frames to RTP payloads, one module for each payload format; the reverse of `depacketizers`.

Each is a plain function from one frame to the payloads of its packets, in order. None of them
knows sequence numbers or times: `axis_nvr.session.rtp_sender` puts the headers before them, and
so viewers of one stream that agree on the packet size can share the payloads.
"""
