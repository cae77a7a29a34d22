"""The values of RTSP headers: Transport, Session, RTP-Info and Public.

Each has a reader that takes what cameras send and a builder that writes what the RFC draws.

Source: RFC 2326 §12.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from axis_nvr.errors import WireError

#: Transport specifications in one header.
MAX_TRANSPORTS = 16
#: Entries of one RTP-Info header: more tracks than any camera has.
MAX_RTP_INFO = 32
#: Characters of a session identifier; the RFC asks for at least eight.
MAX_SESSION_ID_CHARACTERS = 256
#: Seconds a server may announce as its session timeout; more is read as this.
MAX_SESSION_TIMEOUT_SECONDS = 24 * 3600
#: Seconds of a session timeout that is not announced (RFC 2326 §12.37).
DEFAULT_SESSION_TIMEOUT_SECONDS = 60

#: Two port or channel numbers; the second is None where only one was given.
Pair = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class Transport:
    """One transport specification.

    ::

        Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=4D3A21B0;mode="PLAY"

    :param profile: ``AVP``, ``SAVP`` (SRTP), ``AVPF`` or ``SAVPF``.
    :param lower: ``TCP`` or ``UDP``; UDP also when nothing was said.
    :param multicast: whether ``multicast`` was said.
    :param interleaved: channels on the RTSP connection.
    :param client_port: the receiver's UDP ports, unicast.
    :param server_port: the sender's UDP ports, unicast.
    :param port: the UDP ports of a multicast group.
    :param ttl: of multicast.
    :param destination: where the stream goes: a multicast group; "" when not said.
    :param source: where it comes from, if not the server itself; "" when not said.
    :param ssrc: as the server gives it; advisory (quirk 18), None when absent or unreadable.
    :param mode: ``PLAY`` or ``RECORD``; "" when not said.

    Source: RFC 2326 §12.39.
    """

    profile: str = "AVP"
    lower: str = "UDP"
    multicast: bool = False
    interleaved: Pair | None = None
    client_port: Pair | None = None
    server_port: Pair | None = None
    port: Pair | None = None
    ttl: int | None = None
    destination: str = ""
    source: str = ""
    ssrc: int | None = None
    mode: str = ""


def parse_transports(value: str) -> list[Transport]:
    """Read a Transport header: what a client offers, or the one that a server chose.

    Parameters may come in any order, before ``unicast`` too (quirk 18: Luckfox sends ``ssrc``
    first), with spaces and quotes, and unknown ones are passed over. What cannot be read counts
    as not said.

    :returns: at least one specification.
    :raises WireError: none of the specifications names RTP.

    Source: RFC 2326 §12.39.
    """
    found = [_parse_transport(text) for text in value.split(",")[:MAX_TRANSPORTS]]
    transports = [transport for transport in found if transport is not None]
    if not transports:
        raise WireError(f"no RTP transport: {value[:80]!r}", source="RFC 2326 §12.39")
    return transports


def _parse_transport(text: str) -> Transport | None:
    """Read one specification; None if it is not of RTP."""
    transport: Transport | None = None
    parameters: list[tuple[str, str]] = []
    for part in text.split(";"):
        name, _, value = part.partition("=")
        name, value = name.strip().lower(), value.strip().strip('"').strip()
        if name.startswith("rtp/") or name == "rtp":
            pieces = [*name.upper().split("/"), "", ""]
            transport = Transport(pieces[1] or "AVP", "TCP" if pieces[2] == "TCP" else "UDP")
        else:
            parameters.append((name, value))
    if transport is None:
        return None
    for name, value in parameters:
        transport = _with_parameter(transport, name, value)
    return transport


def _with_parameter(transport: Transport, name: str, value: str) -> Transport:
    """Add one parameter to a specification."""
    match name:
        case "multicast":
            return replace(transport, multicast=True)
        case "interleaved":
            return replace(transport, interleaved=_parse_pair(value, 255))
        case "client_port":
            return replace(transport, client_port=_parse_pair(value, 65535))
        case "server_port":
            return replace(transport, server_port=_parse_pair(value, 65535))
        case "port":
            return replace(transport, port=_parse_pair(value, 65535))
        case "ttl":
            return replace(transport, ttl=_parse_number(value, 255))
        case "destination":
            return replace(transport, destination=value)
        case "source":
            return replace(transport, source=value)
        case "ssrc":
            return replace(transport, ssrc=parse_ssrc(value))
        case "mode":
            return replace(transport, mode=value.upper())
    return transport


def parse_ssrc(text: str) -> int | None:
    """Read a synchronization source, however it is spelled (quirk 18).

    The RFC has eight hexadecimal digits. Cameras also send a space before them (Hikvision), fewer
    digits, ``0x`` in front, and decimal (Dahua): only nine or ten digits can be told to be that.

    :returns: the number, None if it cannot be read.
    """
    digits = text.strip().lower().removeprefix("0x")
    if re.fullmatch("[0-9a-f]{1,8}", digits):
        return int(digits, 16)
    if re.fullmatch("[0-9]{9,10}", digits) and int(digits) < 1 << 32:
        return int(digits)
    return None


def _parse_number(text: str, highest: int) -> int | None:
    """Read a decimal number up to `highest`, None if it is not one."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > highest:
        return None
    return int(text)


def _parse_pair(text: str, highest: int) -> Pair | None:
    """Read ``a-b`` or ``a``."""
    first, dash, second = text.partition("-")
    low, high = _parse_number(first.strip(), highest), _parse_number(second.strip(), highest)
    if low is None:
        return None
    return low, high if dash else None


def build_transport(transport: Transport) -> str:
    """Write one transport specification, parameters in the order of RFC 2326 §12.39.

    UDP is left unsaid, as in the RFC's examples: some cameras do not know ``RTP/AVP/UDP``.
    """
    lower = "/TCP" if transport.lower == "TCP" else ""
    parts = [f"RTP/{transport.profile}{lower}", "multicast" if transport.multicast else "unicast"]
    if transport.destination:
        parts.append(f"destination={transport.destination}")
    if transport.source:
        parts.append(f"source={transport.source}")
    for name in ("interleaved", "port", "client_port", "server_port"):
        pair: Pair | None = getattr(transport, name)
        if pair is not None:
            second = "" if pair[1] is None else f"-{pair[1]}"
            parts.append(f"{name}={pair[0]}{second}")
    if transport.ttl is not None:
        parts.append(f"ttl={transport.ttl}")
    if transport.ssrc is not None:
        parts.append(f"ssrc={transport.ssrc:08X}")
    if transport.mode:
        parts.append(f'mode="{transport.mode}"')
    return ";".join(parts)


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """A session identifier and how long it lives without a sign of life.

    :param timeout_seconds: None when not said: `DEFAULT_SESSION_TIMEOUT_SECONDS`.
    """

    session_id: str
    timeout_seconds: int | None = None


def parse_session_header(value: str) -> SessionHeader:
    """Read a Session header.

    :raises WireError: no identifier, or one over `MAX_SESSION_ID_CHARACTERS`.

    Source: RFC 2326 §12.37.
    """
    session_id, *parameters = (part.strip() for part in value.split(";"))
    if not session_id or len(session_id) > MAX_SESSION_ID_CHARACTERS:
        raise WireError(f"session identifier {session_id[:40]!r}", source="RFC 2326 §12.37")
    timeout = None
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        number = re.match(r"\s*\"?([0-9]{1,9})", text)
        if name.strip().lower() == "timeout" and number and int(number[1]):
            timeout = min(int(number[1]), MAX_SESSION_TIMEOUT_SECONDS)
    return SessionHeader(session_id, timeout)


def build_session_header(session: SessionHeader) -> str:
    """Write a Session header, in the form of Axis cameras: no space before ``timeout``."""
    if session.timeout_seconds is None:
        return session.session_id
    return f"{session.session_id};timeout={session.timeout_seconds}"


@dataclass(frozen=True, slots=True)
class RtpInfo:
    """Where a track begins after PLAY, as the server says: never trust it for more than a hint.

    Cameras send 0 or 1 or nonsense here (quirk 21: Hikvision, Tapo C320WS, OMNY).

    :param sequence_number: of the first packet, None if unreadable.
    :param timestamp: RTP time of the start of the range, None if unreadable.
    """

    url: str
    sequence_number: int | None = None
    timestamp: int | None = None


_RTP_INFO_START = re.compile(r"(?:^|,)\s*url\s*=\s*", re.IGNORECASE)
_RTP_INFO_URL_END = re.compile(r";\s*(?:seq|rtptime|ssrc)\s*=", re.IGNORECASE)


def parse_rtp_info(value: str) -> list[RtpInfo]:
    """Read an RTP-Info header; what cannot be read is left out.

    A URL may hold commas and semicolons of its own: an entry begins at ``url=`` after a comma,
    with a space between (quirk 20: Axis) or none, and may end in a semicolon (Laureii).

    Source: RFC 2326 §12.33.
    """
    found = []
    for entry in _RTP_INFO_START.split(value)[1 : MAX_RTP_INFO + 1]:
        url = entry[: next((end.start() for end in _RTP_INFO_URL_END.finditer(entry)), None)]
        sequence_number = _rtp_info_number("seq", entry, 16)
        timestamp = _rtp_info_number("rtptime", entry, 32)
        found.append(RtpInfo(url.rstrip("; \t").strip('"'), sequence_number, timestamp))
    return found


def _rtp_info_number(name: str, entry: str, bits: int) -> int | None:
    """Read one number of an RTP-Info entry."""
    found = re.search(rf";\s*{name}\s*=\s*([0-9]{{1,10}})\s*(?:[;,]|$)", entry, re.IGNORECASE)
    return int(found[1]) if found and int(found[1]) < 1 << bits else None


def build_rtp_info(entries: Iterable[RtpInfo]) -> str:
    """Write an RTP-Info header; numbers that are not known are left out."""
    texts = []
    for entry in entries:
        seq = "" if entry.sequence_number is None else f";seq={entry.sequence_number}"
        rtptime = "" if entry.timestamp is None else f";rtptime={entry.timestamp}"
        texts.append(f"url={entry.url}{seq}{rtptime}")
    return ",".join(texts)


def parse_methods(values: Iterable[str]) -> frozenset[str]:
    """Read Public or Allow headers: methods between commas or spaces, in any case.

    Source: RFC 2326 §12.4, §12.28.
    """
    return frozenset(
        word.upper() for value in values for word in re.split(r"[\s,]+", value) if word
    )
