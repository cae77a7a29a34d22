"""G.711 in RTP: samples of one byte, nothing around them, each packet with its own timestamp.

Source: RFC 3551 §4.5.14.
"""


def packetize(samples: bytes | bytearray | memoryview, limit: int) -> list[bytes]:
    """Lay samples into RTP payloads.

    The timestamp of a payload is that of the one before it plus its bytes (mono, 8 000 Hz); none
    bears the marker unless it ends a silence.

    :param limit: bytes of the largest payload, the RTP header not counted.
    """
    view = memoryview(samples)
    step = max(1, limit)
    return [bytes(view[place : place + step]) for place in range(0, len(view), step)]
