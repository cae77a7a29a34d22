"""RTSP messages out of what somebody has written."""

from axis_nvr.wire.rtsp import Message, read_message


def read_messages(data: bytes) -> list[Message]:
    """Read messages that are all of `data`."""
    found, place = [], 0
    while place < len(data):
        read = read_message(data, place)
        assert read is not None, f"half a message: {data[place:]!r}"
        message, place = read
        found.append(message)
    return found
