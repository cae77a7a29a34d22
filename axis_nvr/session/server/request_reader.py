"""What a client sends on an RTSP connection: requests, and frames between them.

::

    request      | head, blank line | body of Content-Length bytes |
    frame        | "$" | channel 8 | length 16 | payload |          receiver reports, mostly

A response from a client answers nothing of ours and is passed over.

Source: RFC 2326 §4, §10.12.
"""

from typing import NamedTuple, TypeAlias

from axis_nvr.errors import WireError
from axis_nvr.wire.rtsp import (
    Request,
    content_length,
    find_head_end,
    find_start,
    parse_head,
    with_body,
)

#: Bytes of a request's body; the longest in use are a few lines of parameters.
MAX_REQUEST_BODY_BYTES = 64 * 1024
#: Bytes that wait to be read while a request before them is being answered.
MAX_WAITING_BYTES = 256 * 1024

_DOLLAR = 0x24


class InterleavedFrame(NamedTuple):
    """One binary frame between the messages.

    :ivar channel: 0 to 255, as agreed in SETUP.
    """

    channel: int
    payload: bytes


Received: TypeAlias = Request | InterleavedFrame


class RequestReader:
    """Requests and frames out of a stream, however it is cut.

    After a `WireError` the place in the stream is lost: answer 400 and close.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes; `next` tells what they complete.

        :raises WireError: more than `MAX_WAITING_BYTES` have not been asked for.
        """
        if len(self._buffer) + len(data) > MAX_WAITING_BYTES:
            raise WireError(f"{MAX_WAITING_BYTES} bytes wait", source="RFC 2326 §4")
        self._buffer += data

    def next(self) -> Received | None:
        """Return the next request or frame, None if more bytes are needed.

        :raises WireError: no message begins here, or one of its limits is passed.
        """
        while True:
            buffer = self._buffer
            if begin := find_start(buffer):
                del buffer[:begin]
            if not buffer:
                return None
            if buffer[0] == _DOLLAR:
                return self._next_frame()
            end = find_head_end(buffer)
            if end is None:
                return None
            message = parse_head(bytes(buffer[:end]))
            size = content_length(message)
            if size > MAX_REQUEST_BODY_BYTES:
                raise WireError(f"body over {MAX_REQUEST_BODY_BYTES} bytes", source="RFC 2326 §4.4")
            if len(buffer) < end + size:
                return None
            message = with_body(message, bytes(buffer[end : end + size]))
            del buffer[: end + size]
            if isinstance(message, Request):
                return message

    def _next_frame(self) -> InterleavedFrame | None:
        """Cut a frame off that begins the buffer."""
        buffer = self._buffer
        end = 4 + int.from_bytes(buffer[2:4], "big")
        if len(buffer) < 4 or len(buffer) < end:
            return None
        frame = InterleavedFrame(buffer[1], bytes(buffer[4:end]))
        del buffer[:end]
        return frame
