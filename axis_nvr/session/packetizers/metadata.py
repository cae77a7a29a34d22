"""XML documents in RTP: cut anywhere, the marker on the last piece.

Source: ONVIF Streaming Specification §5.1.2.1.1 (``vnd.onvif.metadata``).
"""


def packetize(document: bytes, limit: int) -> list[bytes]:
    """Lay one document into RTP payloads; the last one bears the marker.

    :param document: well-formed XML in UTF-8.
    :param limit: bytes of the largest payload, the RTP header not counted.
    """
    step = max(1, limit)
    return [document[place : place + step] for place in range(0, len(document), step)]
