"""AAC in RTP, mode AAC-hbr: one frame in a packet, or in pieces where it does not fit.

::

    | AU-headers-length 16: always 16 | AU-size 13, AU-Index 3: always 0 | the frame, or a piece |

Source: RFC 3640 §3.2.1, §3.3.6 (sizelength=13; indexlength=3; indexdeltalength=3).
"""

from axis_nvr.errors import LocalProtocolError

#: The largest frame that ``AU-size`` can tell, in bytes.
MAX_FRAME_BYTES = 2**13 - 1
_HEADERS_BYTES = 4


def packetize(frame: bytes | bytearray | memoryview, limit: int) -> list[bytes]:
    """Lay one AAC frame into RTP payloads; the last one bears the marker.

    :param frame: a raw frame, without ADTS header.
    :param limit: bytes of the largest payload, the RTP header not counted.
    :raises LocalProtocolError: the frame is larger than `MAX_FRAME_BYTES`.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise LocalProtocolError(f"an AAC frame of {len(frame)} bytes, 13 bits for its size")
    step = max(1, limit - _HEADERS_BYTES)
    # A piece of a frame tells the size of the whole frame (RFC 3640 §3.2.3).
    headers = b"\0\x10" + (len(frame) << 3).to_bytes(2, "big")
    view = memoryview(frame)
    return [headers + view[place : place + step] for place in range(0, len(frame), step)]
