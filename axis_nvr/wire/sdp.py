"""Session descriptions (SDP, RFC 8866 and its ancestor RFC 4566), as RTSP servers send them.

::

    v=0                                   m=video 0 RTP/AVP 96
    o=- 1 1 IN IP4 192.168.0.90           c=IN IP4 0.0.0.0
    s=Session streamed with GStreamer     b=AS:50000
    i=rtsp-server                         a=rtpmap:96 H264/90000
    t=0 0                                 a=fmtp:96 packetization-mode=1;profile-level-id=…
    a=control:rtsp://…                    a=control:rtsp://…/stream=0?…

Literally every camera breaks the grammar somewhere, so the reader takes the lines one by one,
keeps what it understands and asks for nothing: no order, no mandatory line, no valid address.
A media section is kept even when its ``m=`` line makes no sense; who asks for its payload types
then finds none. The writer sends exactly the lines above, in the order of RFC 8866 §9.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from axis_nvr.errors import WireError

#: A description past this is refused, in bytes. Real ones have 300 to 3 000.
MAX_SDP_BYTES = 65_536

#: What follows this many lines is not read.
MAX_SDP_LINES = 1_000

#: Media sections past these are not read. The largest seen (a camera with back channel) has five.
MAX_SDP_MEDIA = 32

#: Payload types of one media section past these are not read; there are 128 in all.
MAX_SDP_PAYLOAD_TYPES = 128

#: Name and value, the value None where there is no colon (``a=recvonly``).
Attribute: TypeAlias = tuple[str, str | None]


class RtpMap(NamedTuple):
    """The value of an ``a=rtpmap`` (RFC 8866 §6.6).

    :ivar encoding_name: as sent; compare without case.
    :ivar clock_rate: in Hz; 0 where it is missing or not a number.
    :ivar channels: 1 where it is missing or not a number.
    """

    encoding_name: str
    clock_rate: int
    channels: int


class Origin(NamedTuple):
    """The ``o=`` line (RFC 8866 §5.2), all as sent, since nobody needs its numbers."""

    username: str = "-"
    session_id: str = "0"
    session_version: str = "0"
    address_type: str = "IP4"
    address: str = "0.0.0.0"  # noqa: S104 (a placeholder in a document, nothing binds to it)


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One media section: an ``m=`` line and what follows it.

    :param kind: ``video``, ``audio``, ``application``, or what else stands there; lower case.
    :param port: 0 in RTSP unless the server recommends one; 0 also where it is not a port.
    :param protocol: such as ``RTP/AVP``.
    :param payload_types: 0 to 127 each; empty where none is readable.
    :param attributes: the ``a=`` lines in order.
    :param connection: the address of the ``c=`` line, ``""`` without.
    :param bandwidths: the ``b=`` lines, such as ``AS:50000``.
    """

    kind: str
    port: int = 0
    protocol: str = "RTP/AVP"
    payload_types: tuple[int, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    connection: str = ""
    bandwidths: tuple[str, ...] = ()

    @property
    def control(self) -> str | None:
        """The value of ``a=control``, as sent; None without."""
        return attribute(self.attributes, "control")

    @property
    def rtpmap(self) -> RtpMap | None:
        """The rtpmap of the first payload type, None without."""
        return self.rtpmap_of(self.payload_types[0]) if self.payload_types else None

    @property
    def fmtp(self) -> dict[str, str]:
        """The format parameters of the first payload type."""
        return self.fmtp_of(self.payload_types[0]) if self.payload_types else {}

    def rtpmap_of(self, payload_type: int) -> RtpMap | None:
        """The rtpmap of a payload type, None without one that can be read."""
        for value in self._values_for("rtpmap", payload_type):
            if (rtpmap := parse_rtpmap(value)) is not None:
                return rtpmap
        return None

    def fmtp_of(self, payload_type: int) -> dict[str, str]:
        """The format parameters of a payload type: names in lower case, values as sent."""
        parameters: dict[str, str] = {}
        for value in self._values_for("fmtp", payload_type):
            parameters.update(parse_fmtp(value))
        return parameters

    def _values_for(self, name: str, payload_type: int) -> Iterator[str]:
        """What the attributes of a name say of a payload type.

        Where the section has one payload type only and none of them is about it, all are: HIK
        Media Server sends ``fmtp:97`` for its 104, others no number at all.
        """
        found = [item for item in self.attributes if item[0] == name and item[1]]
        own = [item for item in found if _subject(item) == payload_type]
        for _, value in own or (found if len(self.payload_types) == 1 else []):
            number, _, rest = (value or "").strip().partition(" ")
            yield rest.strip() if _number(number) is not None else number + rest


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole session description.

    :param origin: None where the line is missing or cannot be told apart.
    :param name: the ``s=`` line.
    :param attributes: those of the session, in order.
    :param media: the sections in order.
    :param information: the ``i=`` line.
    :param connection: the address of the session's ``c=`` line, ``""`` without.
    :param bandwidths: the session's ``b=`` lines.
    """

    origin: Origin | None = None
    name: str = ""
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()
    information: str = ""
    connection: str = ""
    bandwidths: tuple[str, ...] = ()

    @property
    def control(self) -> str | None:
        """The session's ``a=control``, as sent; None without."""
        return attribute(self.attributes, "control")


def attribute(attributes: Iterable[Attribute], name: str) -> str | None:
    """The value of the first attribute of a name; ``""`` if it has none, None if it is absent."""
    for key, value in attributes:
        if key == name:
            return value or ""
    return None


def parse_session(text: bytes) -> SessionDescription:
    """Read a session description, forgiving all that can be forgiven.

    :param text: the body of a DESCRIBE response.
    :returns: what could be read. Names of attributes are in lower case, values stripped.
    :raises WireError: larger than `MAX_SDP_BYTES`, or without a single line of the form ``x=``.

    Source: RFC 8866 §5.
    """
    if len(text) > MAX_SDP_BYTES:
        raise WireError(f"SDP of {len(text)} bytes", source="MAX_SDP_BYTES")
    lines = list(_lines(text))
    if not lines:
        raise WireError("no SDP", offset=0, source="RFC 8866 §5")
    starts = [index for index, (letter, _) in enumerate(lines) if letter == "m"]
    sections = [lines[start:end] for start, end in pairwise([*starts, len(lines)])]
    media = [_parse_media(section) for section in sections[:MAX_SDP_MEDIA]]
    head = lines[: starts[0]] if starts else lines
    return SessionDescription(
        origin=_parse_origin(_first(head, "o")),
        # an ``s=`` line within a media section still names the session (gortsplib #448)
        name=_first(head, "s") or _first(lines, "s"),
        attributes=_attributes(head),
        media=tuple(_return_strays(media)),
        information=_first(head, "i"),
        connection=_parse_connection(_first(head, "c")),
        bandwidths=tuple(value for letter, value in head if letter == "b"),
    )


def build_session(session: SessionDescription) -> bytes:
    """Write a session description in the order of RFC 8866 §9.

    :returns: lines ended with CRLF. Characters that end a line become spaces.
    """
    lines = ["v=0", "o={} {} {} IN {} {}".format(*(session.origin or Origin()))]
    lines += [f"s={session.name or '-'}"]
    lines += [f"i={session.information}"] if session.information else []
    lines += _common_lines(session.connection, session.bandwidths)
    lines += ["t=0 0"]
    lines += _attribute_lines(session.attributes)
    for media in session.media:
        formats = " ".join(str(number) for number in media.payload_types)
        lines += [f"m={media.kind} {media.port} {media.protocol} {formats}".rstrip()]
        lines += _common_lines(media.connection, media.bandwidths)
        lines += _attribute_lines(media.attributes)
    return b"".join(_one_line(line).encode() + b"\r\n" for line in lines)


def parse_rtpmap(value: str) -> RtpMap | None:
    """Read what follows the payload type in an ``a=rtpmap``.

    :returns: None where there is no name.

    Source: RFC 8866 §6.6. A trailing space is Ubiquiti's and Foscam's habit.
    """
    name, _, rest = value.strip().partition("/")
    clock_rate, _, channels = rest.partition("/")
    if not name.strip():
        return None
    return RtpMap(name.strip(), _number(clock_rate) or 0, _number(channels) or 1)


def parse_fmtp(value: str) -> dict[str, str]:
    """Read what follows the payload type in an ``a=fmtp``: parameters between semicolons.

    :returns: names in lower case (Axis OS 5 writes ``SizeLength``), values as sent; a parameter
        without ``=`` has the value ``""``.

    Source: RFC 8866 §6.15, RFC 6184 §8.2.1, RFC 3640 §4.4.
    """
    parameters: dict[str, str] = {}
    for part in value.split(";"):
        name, _, content = part.partition("=")
        if name.strip():
            parameters[name.strip().lower()] = content.strip()
    return parameters


def _lines(text: bytes) -> Iterator[tuple[str, str]]:
    """Each line as its letter and its value; what does not look like one is left out."""
    decoded = text.decode("utf-8", "replace").replace("\r", "\n").replace("\0", "\n")
    for line in decoded.split("\n", MAX_SDP_LINES)[:MAX_SDP_LINES]:
        letter, equals, value = line.partition("=")
        letter = letter.strip().lstrip("\ufeff").lower()
        if equals and len(letter) == 1:
            yield letter, value.strip()


def _first(lines: Iterable[tuple[str, str]], letter: str) -> str:
    return next((value for key, value in lines if key == letter), "")


def _attributes(lines: Iterable[tuple[str, str]]) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    for letter, line in lines:
        if letter == "a":
            name, colon, value = line.partition(":")
            found.append((name.strip().lower(), value.strip() if colon else None))
    return tuple(found)


def _parse_origin(value: str) -> Origin | None:
    """Read an ``o=`` line by its last fields: a user name may hold spaces ("Inno Fuzhou", #201).

    The numbers stay text: negative on an AXIS 221, past 64 bits, hexadecimal, absent elsewhere.
    """
    words = value.split()
    marker = next((n for n in range(len(words) - 1, 0, -1) if words[n].upper() in {"IN", "IP"}), 0)
    if marker < 3:  # not ``<username> <id> <version> IN …``: nothing depends on it
        return None
    address = [*words[marker + 1 : marker + 3], "", ""]
    username = " ".join(words[: marker - 2])
    return Origin(username, words[marker - 2], words[marker - 1], address[0], address[1])


def _parse_connection(value: str) -> str:
    """The address of a ``c=`` line; ``""`` for Uniview's empty ``c=IN`` (#5008)."""
    words = value.split()
    return words[2] if len(words) > 2 else ""


def _parse_media(section: list[tuple[str, str]]) -> MediaDescription:
    """Read one media section; what in its first line is no number counts as absent.

    TP-LINK and Mercury send ``m=application/TP-LINK 0 RTP/AVP smart/1/90000``, Tuya a port of
    -1353744643: such sections are kept, without payload types where those cannot be read.
    """
    words = [*section[0][1].split(), "", "", ""]
    port = _number(words[1].partition("/")[0]) or 0
    numbers = (_number(word) for word in words[3 : 3 + MAX_SDP_PAYLOAD_TYPES])
    return MediaDescription(
        kind=words[0].lower(),
        port=port if port < 0x10000 else 0,
        protocol=words[2],
        payload_types=tuple(n for n in numbers if n is not None and n < 128),
        attributes=_attributes(section),
        connection=_parse_connection(_first(section, "c")),
        bandwidths=tuple(value for letter, value in section if letter == "b"),
    )


def _return_strays(media: list[MediaDescription]) -> Iterator[MediaDescription]:
    """Bring each ``rtpmap`` and ``fmtp`` that stands in a wrong section to the one it is for.

    Some cameras send the ``fmtp`` of the video behind the ``m=`` line of the audio.
    """
    taken: set[int] = set()
    for section in media:
        taken.update(section.payload_types)
    for place, section in enumerate(media):
        strays = [
            item
            for other, foreign in enumerate(media)
            if other != place
            for item in foreign.attributes
            if (number := _subject(item)) is not None
            and number in section.payload_types
            and number not in foreign.payload_types
        ]
        own = [
            item
            for item in section.attributes
            if (number := _subject(item)) is None
            or number in section.payload_types
            or number not in taken
        ]
        yield replace(section, attributes=(*own, *strays))


def _subject(item: Attribute) -> int | None:
    """The payload type that an ``rtpmap`` or ``fmtp`` is about, None for other attributes."""
    name, value = item
    if name not in {"rtpmap", "fmtp"} or not value:
        return None
    return _number(value.strip().partition(" ")[0])


def _number(text: str) -> int | None:
    """A decimal number without sign, of at most ten digits; None for anything else."""
    text = text.strip()
    return int(text) if 0 < len(text) <= 10 and text.isascii() and text.isdigit() else None


def _common_lines(connection: str, bandwidths: Iterable[str]) -> list[str]:
    address_type = "IP6" if ":" in connection else "IP4"
    lines = [f"c=IN {address_type} {connection}"] if connection else []
    return lines + [f"b={value}" for value in bandwidths]


def _attribute_lines(attributes: Iterable[Attribute]) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ").replace("\0", " ")
