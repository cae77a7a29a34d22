"""RTSP through HTTP, the server's side; `axis_nvr.session.tunnel` has the client's and the drawing.

Both connections begin with an HTTP request that names the same cookie. The one that asks with GET
carries all that goes down; what comes up the one with POST is base64 without an end, in pieces
that may each be padded. ``Content-Length`` of the POST means nothing.

Source: "Tunnelling RTSP and RTP over HTTP", Apple, 1999.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.session.server.dialogue import SERVER_NAME
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.rtsp import Headers, Request, Response, encode, find_head_end, parse_head

#: Characters of a cookie.
MAX_COOKIE_CHARACTERS = 256
#: Bytes of a head that is looked at before HTTP gets it.
MAX_HEAD_BYTES = 16 * 1024

MEDIA_TYPE = "application/x-rtsp-tunnelled"
#: What a connection begins with that is a tunnel's: ``GET_PARAMETER`` has no space there.
_HTTP_STARTS = (b"GET ", b"POST ")
#: Where tunnels are opened on a port that HTTP has for itself: the paths of streams.
_TUNNEL_PATHS = (b"/axis-media/", b"/onvif-media/")
_COOKIE = re.compile(rb"\r\nx-sessioncookie:", re.IGNORECASE)
_SPACE = re.compile(rb"\s+")


@dataclass(frozen=True, slots=True)
class TunnelOpened:
    """One connection of a tunnel has begun.

    :param cookie: what ties it to the other one.
    :param down: whether it is the one that carries replies and media.
    :param rest: what has arrived behind the head.
    """

    cookie: str
    down: bool
    rest: bytes


def begins_with_http(data: bytes | bytearray) -> bool | None:
    """Tell whether a connection speaks HTTP, from its first bytes; None: more are needed."""
    start = bytes(data[:5])
    if any(start.startswith(word) for word in _HTTP_STARTS):
        return True
    if any(word.startswith(start) for word in _HTTP_STARTS):
        return None
    return False


def opens_tunnel(data: bytes) -> bool | None:
    """Tell whether an HTTP connection begins with a tunnel, from its first bytes.

    :returns: None: more are needed.
    """
    starts = [method + path for method in _HTTP_STARTS for path in _TUNNEL_PATHS]
    if not data.startswith(tuple(starts)):
        return None if any(start.startswith(data) for start in starts) else False
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None if len(data) <= MAX_HEAD_BYTES else False
    return _COOKIE.search(data, 0, end + 2) is not None


class TunnelOpening:
    """Reads the HTTP request that begins a connection of a tunnel.

    :param check: raises `RequestRefused` for a request that may not pass.
    """

    def __init__(self, check: Callable[[Request], None]) -> None:
        self._check = check
        self._buffer = bytearray()

    def receive(self, data: bytes) -> TunnelOpened | None:
        """Take bytes until the head is whole.

        :raises RequestRefused: send `refusal` and close.
        """
        self._buffer += data
        try:
            end = find_head_end(self._buffer)
            if end is None:
                return None
            request = parse_head(bytes(self._buffer[:end]))
        except WireError:
            raise RequestRefused(400) from None
        if not isinstance(request, Request) or not request.version.startswith("HTTP/"):
            raise RequestRefused(400)
        self._check(request)
        cookie = request.headers.get("x-sessioncookie").strip()
        if not cookie or len(cookie) > MAX_COOKIE_CHARACTERS:
            raise RequestRefused(400, "Bad Request: no x-sessioncookie")
        return TunnelOpened(cookie, request.method == "GET", bytes(self._buffer[end:]))


def acceptance() -> bytes:
    """Return what the GET is answered with; the POST gets no answer."""
    headers = Headers(
        [
            ("Server", SERVER_NAME),
            ("Connection", "close"),
            ("Cache-Control", "no-store"),
            ("Pragma", "no-cache"),
            ("Content-Type", MEDIA_TYPE),
        ]
    )
    return encode(Response(200, headers=headers, version="HTTP/1.0"))


def refusal(refused: RequestRefused) -> bytes:
    """Return a no, behind which the connection is closed."""
    headers = Headers([("Server", SERVER_NAME), ("Connection", "close"), *refused.headers])
    headers.add("Content-Length", "0")
    return encode(Response(refused.status, refused.reason, headers, version="HTTP/1.0"))


class Base64Stream:
    """Bytes out of base64 that comes in pieces, each of them perhaps padded."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take characters and return the bytes they complete.

        :raises WireError: what came is no base64.
        """
        text = _SPACE.sub(b"", self._rest + data)
        whole = len(text) & ~3
        self._rest = text[whole:]
        found = []
        place = 0
        while place < whole:
            # Padding ends a piece; decoding goes on behind its group of four characters.
            pad = text.find(b"=", place, whole)
            end = whole if pad < 0 else (pad & ~3) + 4
            try:
                found.append(binascii.a2b_base64(text[place:end], strict_mode=True))
            except binascii.Error:
                raise WireError("no base64", offset=place, source="RFC 4648 §4") from None
            place = end
        return b"".join(found)
