"""RTSP 1.0 messages: requests, responses, their headers, and how they are cut out of bytes.

::

    message      = start-line *( header CRLF ) CRLF [ body ]
    start-line   = method SP uri SP "RTSP/1.0" CRLF          a request
                 | "RTSP/1.0" SP status SP reason CRLF       a response
    header       = name ":" value
    body         = as many bytes as Content-Length says; none without it

A head is read as Latin-1, one character for each byte, so that nothing is lost or refused. Both
ends of the recorder use this module: the client of the cameras and the server of recordings. The
same grammar holds for the HTTP messages that open an RTSP tunnel; `version` tells them apart.

Source: RFC 2326 §4, §6, §7, §12, §15.1.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from axis_nvr.errors import LocalProtocolError, WireError

#: Bytes of a start line and its headers, the blank line included.
MAX_HEAD_BYTES = 16 * 1024
#: Header lines of one message.
MAX_HEADER_COUNT = 128
#: Bytes of a body; the longest one in use is an SDP of a few kB.
MAX_BODY_BYTES = 1024 * 1024
#: Bytes of line ends that may stand before a message.
MAX_LEADING_BYTES = 1024

VERSION = "RTSP/1.0"

#: The words for a status code (RFC 2326 §7.1.1, RFC 4567 §4.2 for 463).
REASONS = {
    100: "Continue",
    200: "OK",
    201: "Created",
    250: "Low on Storage Space",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Time-out",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Large",
    415: "Unsupported Media Type",
    451: "Parameter Not Understood",
    452: "Conference Not Found",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    456: "Header Field Not Valid for Resource",
    457: "Invalid Range",
    458: "Parameter Is Read-Only",
    459: "Aggregate operation not allowed",
    460: "Only aggregate operation allowed",
    461: "Unsupported transport",
    462: "Destination unreachable",
    463: "Key Management Failure",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
    505: "RTSP Version not supported",
    551: "Option not supported",
}

#: Headers whose values are secrets: never shown.
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "keymgmt"})

#: What a message begins with: how a reader that lost its place finds the next one.
START = re.compile(
    rb"(?:RTSP|HTTP)/[0-9]\.[0-9] +[0-9]{3}(?=[ \r\n])"
    rb"|[A-Z][A-Z_]{2,19} [^\x00-\x20]{1,4096} (?:RTSP|HTTP)/[0-9]\.[0-9](?=[ \r\n])"
)
#: A blank line. A bare CR does not end a line here, though RFC 2326 §4 suggests it: at the end of
#: what has arrived so far it could not be told from one half of a CRLF.
_BLANK_LINE = re.compile(rb"\n\r?\n")
_LINE_ENDS = re.compile(rb"[\r\n]*")
_STATUS_LINE = re.compile(r"((?:RTSP|HTTP)/[0-9]\.[0-9])[ \t]+([0-9]{3})(?:[ \t]+(.*))?")
_VERSION = re.compile(r"(?:RTSP|HTTP)/[0-9]\.[0-9]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def redacted(url: str) -> str:
    """Take user and password out of a URL, so that it may be shown.

    :returns: the URL with ``…@`` where credentials stood.
    """
    return _USERINFO.sub("…@", url)


class Headers:
    """Header fields in their order; names are compared without case, and may repeat.

    :param items: pairs of name and value.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = list(items)

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a header, or `default`."""
        wanted = name.lower()
        return next((value for key, value in self._items if key.lower() == wanted), default)

    def get_all(self, name: str) -> list[str]:
        """Return every value of a header, in order."""
        wanted = name.lower()
        return [value for key, value in self._items if key.lower() == wanted]

    def add(self, name: str, value: str) -> None:
        """Append one more value."""
        self._items.append((name, value))

    def set(self, name: str, value: str) -> None:
        """Put one value in place of all that a header had."""
        self.remove(name)
        self._items.append((name, value))

    def remove(self, name: str) -> None:
        """Forget a header; nothing happens if it is absent."""
        wanted = name.lower()
        self._items = [item for item in self._items if item[0].lower() != wanted]

    def __contains__(self, name: str) -> bool:
        wanted = name.lower()
        return any(key.lower() == wanted for key, _ in self._items)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        """Compare names without case, values exactly, order and all."""
        if not isinstance(other, Headers):
            return NotImplemented
        return [(k.lower(), v) for k, v in self] == [(k.lower(), v) for k, v in other]

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        shown = [(k, "…" if k.lower() in SECRET_HEADERS else redacted(v)) for k, v in self]
        return f"Headers({shown!r})"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, in either direction.

    :param method: such as ``SETUP``, as it came: methods are compared with case.
    :param uri: absolute, or ``*``.
    """

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: str = VERSION

    def __repr__(self) -> str:
        return (
            f"Request({self.method!r}, {redacted(self.uri)!r}, {self.headers!r},"
            f" {len(self.body)} bytes)"
        )


@dataclass(frozen=True, slots=True)
class Response:
    """A response, in either direction.

    :param status: the three digits.
    :param reason: the peer's words; when empty, `encode` writes those of the RFC.
    """

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    version: str = VERSION


Message: TypeAlias = Request | Response


def encode(message: Message) -> bytes:
    """Write a message; ``Content-Length`` is added when there is a body.

    :raises LocalProtocolError: a line end or a character beyond Latin-1 where none may stand.
    """
    if isinstance(message, Request):
        start = f"{message.method} {message.uri} {message.version}"
    else:
        reason = message.reason or REASONS.get(message.status, "")
        start = f"{message.version} {message.status} {reason}"
    lines = [start, *(f"{name}: {value}" for name, value in message.headers)]
    if message.body and "Content-Length" not in message.headers:
        lines.append(f"Content-Length: {len(message.body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise LocalProtocolError("a line end within a header of ours")
    try:
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError as error:
        # What stands there may be a secret: only the place is told.
        raise LocalProtocolError(f"no Latin-1 at character {error.start} of a head") from None
    return head + message.body


def read_message(
    data: bytes | bytearray | memoryview, start: int = 0
) -> tuple[Message, int] | None:
    """Cut one whole message out of bytes; line ends before it are skipped.

    :param data: what has arrived so far; it is not changed, and what is returned is a copy.
    :param start: where to begin, in bytes.
    :returns: the message and the offset behind its body, or None if more bytes are needed.
    :raises WireError: no message begins here, or one of its limits is passed.

    Source: RFC 2326 §4.
    """
    begin = find_start(data, start)
    head_end = find_head_end(data, begin)
    if head_end is None:
        return None
    message = parse_head(bytes(data[begin:head_end]))
    end = head_end + content_length(message)
    if end > len(data):
        return None
    return with_body(message, bytes(data[head_end:end])), end


def find_start(data: bytes | bytearray | memoryview, start: int = 0) -> int:
    """Return the offset of the first byte that is no line end.

    Line ends before a message are allowed by RFC 2068 §4.1; quirk 27 has them before ``$`` too.

    :raises WireError: more of them than `MAX_LEADING_BYTES`.
    """
    found = _LINE_ENDS.match(data, start)
    begin = found.end() if found else start
    if begin - start > MAX_LEADING_BYTES:
        raise WireError("nothing but line ends", offset=start, source="RFC 2326 §4")
    return begin


def find_head_end(
    data: bytes | bytearray | memoryview, begin: int = 0, searched: int = 0
) -> int | None:
    """Return the offset behind the blank line that ends a head, or None if it has not come.

    :param begin: the first byte of the start line.
    :param searched: up to where an earlier call has looked in vain.
    :raises WireError: no blank line within `MAX_HEAD_BYTES`.
    """
    # The last two bytes looked at may be the first two of the blank line.
    found = _BLANK_LINE.search(data, max(begin, searched - 2), begin + MAX_HEAD_BYTES)
    if found:
        return found.end()
    if len(data) - begin >= MAX_HEAD_BYTES:
        raise WireError(f"head over {MAX_HEAD_BYTES} bytes", offset=begin, source="RFC 2326 §4")
    return None


def parse_head(head: bytes) -> Message:
    """Read a start line and its headers.

    A header line without a colon is passed over, and spaces around the name and the value are taken
    off: Longse and Herospeed cameras send ``Cseq: 101`` with a space behind it (quirk 22).

    :param head: the bytes up to and with the blank line; CRLF and bare LF both end a line.
    :returns: a message without a body.
    :raises WireError: the start line is none, or there are too many headers.

    Source: RFC 2326 §6.1, §7.1, §12; RFC 2068 §2.2 for folded lines.
    """
    lines = head.decode("latin-1").split("\n")
    start_line = lines[0].strip("\r \t")
    headers = _parse_headers(lines[1:])
    if status_line := _STATUS_LINE.fullmatch(start_line):
        version, status, reason = status_line.groups("")
        return Response(int(status), reason, headers, b"", version)
    # A URI may hold spaces, so the words are taken off both ends.
    method, _, rest = start_line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if method[:1].isalpha() and _TOKEN.fullmatch(method) and uri and _VERSION.fullmatch(version):
        return Request(method, uri.strip(), headers, b"", version)
    shown = redacted(start_line[:60])
    raise WireError(f"no start line: {shown!r}", offset=0, source="RFC 2326 §6.1, §7.1")


def _parse_headers(lines: list[str]) -> Headers:
    """Read header lines; a line that begins with a space goes on with the value before it."""
    items: list[tuple[str, str]] = []
    for line in lines:
        text = line.strip("\r \t")
        if line[:1] in (" ", "\t") and items and text:
            name, value = items[-1]
            items[-1] = (name, f"{value} {text}".strip())
            continue
        name, colon, value = text.partition(":")
        name = name.rstrip(" \t")
        if colon and _TOKEN.fullmatch(name):
            items.append((name, value.strip(" \t")))
        if len(items) > MAX_HEADER_COUNT:
            raise WireError(f"more than {MAX_HEADER_COUNT} headers", source="RFC 2326 §4")
    return Headers(items)


def content_length(message: Message) -> int:
    """Return how many bytes of body a head announces; 0 without ``Content-Length``.

    :raises WireError: it is no number, contradicts itself, or is over `MAX_BODY_BYTES`.

    Source: RFC 2326 §4.4, §12.14.
    """
    values = set(message.headers.get_all("Content-Length"))
    if not values:
        return 0
    text = values.pop()
    if values or not (text.isascii() and text.isdigit()):
        raise WireError(f"Content-Length {text[:20]!r}", source="RFC 2326 §12.14")
    if len(text) > len(str(MAX_BODY_BYTES)) + 10 or int(text) > MAX_BODY_BYTES:
        raise WireError(f"body over {MAX_BODY_BYTES} bytes", source="RFC 2326 §4.4")
    return int(text)


def with_body(message: Message, body: bytes) -> Message:
    """Return the same message with another body."""
    if isinstance(message, Request):
        return Request(message.method, message.uri, message.headers, body, message.version)
    return Response(message.status, message.reason, message.headers, body, message.version)
