"""How media is carried: what we offer in SETUP, and what the server's answer comes to.

Servers leave things out of their answers or contradict the offer; `complete` says what is in
force in the end.

Source: RFC 2326 §10.4, §10.12, §12.39.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from axis_nvr.errors import RemoteProtocolError, WireError
from axis_nvr.wire.rtsp_headers import Pair, Transport, parse_transports

#: Profiles whose media is protected: SRTP, without and with feedback (RFC 3711, RFC 5124).
SECURE_PROFILES = ("SAVP", "SAVPF")


class Delivery(StrEnum):
    """The ways that media can come."""

    INTERLEAVED = "interleaved"
    UNICAST = "unicast"
    MULTICAST = "multicast"


@dataclass(frozen=True, slots=True)
class TransportChoice:
    """How to ask for media.

    :param delivery: the way.
    :param port_pairs: for unicast: our RTP and RTCP ports, one pair for each track in the order
        they are set up; tracks beyond them are not set up.
    """

    delivery: Delivery = Delivery.INTERLEAVED
    port_pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class InterleavedTransport:
    """Media within the RTSP connection.

    :param rtp_channel: channel of RTP.
    :param rtcp_channel: channel of RTCP; None if another track has it.
    :param ssrc: as the server says, which is not always what it sends (quirk 18).
    """

    rtp_channel: int
    rtcp_channel: int | None
    ssrc: int | None = None


@dataclass(frozen=True, slots=True)
class UnicastTransport:
    """Media in datagrams to our ports.

    :param client_ports: ours, as offered.
    :param server_ports: the server's; None if it does not say (quirk 22): then datagrams of any
        port of the server count, and reports go to where they come from.
    :param source: the address they come from; empty: the server's.
    """

    client_ports: tuple[int, int]
    server_ports: tuple[int, int] | None = None
    source: str = ""
    ssrc: int | None = None


@dataclass(frozen=True, slots=True)
class MulticastTransport:
    """Media to a group that we join.

    :param group: its address.
    :param ports: RTP and RTCP.
    :param ttl: None if the server does not say.
    :param source: the only address to accept datagrams from; empty: not known.
    """

    group: str
    ports: tuple[int, int]
    ttl: int | None = None
    source: str = ""
    ssrc: int | None = None


TrackTransport: TypeAlias = InterleavedTransport | UnicastTransport | MulticastTransport


def offer(choice: TransportChoice, position: int, taken: Collection[int]) -> Transport | None:
    """Return what to ask for.

    :param position: how many SETUPs went before.
    :param taken: interleaved channels in use: servers may have chosen other ones than offered.
    :returns: None if no ports are left.
    """
    match choice.delivery:
        case Delivery.MULTICAST:
            return Transport(multicast=True)
        case Delivery.UNICAST:
            pairs: tuple[Pair, ...] = choice.port_pairs
            return Transport(client_port=pairs[position]) if position < len(pairs) else None
    channel = next(
        (c for c in range(2 * position, 255, 2) if c not in taken and c + 1 not in taken), None
    )
    return None if channel is None else Transport(lower="TCP", interleaved=(channel, channel + 1))


def complete(
    offered: Transport,
    answer: str,
    taken: Collection[int] = (),
    group: str = "",
    port: int = 0,
) -> TrackTransport:
    """Say what is in force after a SETUP was accepted.

    :param answer: the Transport header, empty if there is none: then it is as offered.
    :param taken: channels of the tracks before.
    :param group: the multicast group of the session description, where the answer has none.
    :param port: the port of the session description, likewise.
    :raises RemoteProtocolError: the answer cannot be read, or is no way for media to reach us.
    """
    try:
        chosen = parse_transports(answer)[0] if answer.strip() else offered
    except WireError as error:
        raise RemoteProtocolError(f"SETUP answered with {error}") from error
    if chosen.profile in SECURE_PROFILES and offered.profile not in SECURE_PROFILES:
        raise RemoteProtocolError("SETUP answered with SRTP, which was not offered")
    if chosen.multicast or (offered.multicast and chosen.interleaved is None):
        return _multicast(chosen, group, port)
    # ``RTP/AVP`` without ``/TCP`` in an answer to interleaved (quirk 8: Escam Q6) counts as TCP
    # unless it names ports.
    if chosen.interleaved is not None or chosen.lower == "TCP":
        return _interleaved(offered, chosen, taken)
    if offered.interleaved is not None:
        if chosen.server_port is not None or chosen.client_port is not None:
            raise RemoteProtocolError("SETUP for interleaved answered with UDP ports")
        return _interleaved(offered, chosen, taken)
    if offered.client_port is None:
        raise RemoteProtocolError("SETUP for multicast answered with unicast")
    server_ports = None if chosen.server_port is None else _both(chosen.server_port)
    return UnicastTransport(_both(offered.client_port), server_ports, chosen.source, chosen.ssrc)


def _both(pair: Pair) -> tuple[int, int]:
    """Return two ports or channels; the second is the next number where it was not said."""
    return pair[0], pair[0] + 1 if pair[1] is None else pair[1]


def _interleaved(
    offered: Transport, chosen: Transport, taken: Collection[int]
) -> InterleavedTransport:
    """Choose channels: the server's, if they can be; else ours, else the next ones free.

    Servers change the numbers, begin with odd ones, name one or none (quirk 8). One that answers
    each SETUP with ``0-1`` means what we offered.
    """
    candidates = [pair for pair in (chosen.interleaved, offered.interleaved) if pair is not None]
    free = [pair for pair in candidates if pair[0] not in taken]
    if not free:
        raise RemoteProtocolError(f"SETUP answered with channels in use: {candidates}")
    rtp, rtcp = _both(free[0])
    # The second number may be a single-number track of its own.
    spare = rtcp not in taken and rtcp <= 255 and rtcp != rtp
    return InterleavedTransport(rtp, rtcp if spare else None, chosen.ssrc)


def _multicast(chosen: Transport, group: str, port: int) -> MulticastTransport:
    """Join what the answer says, or else the session description."""
    address = chosen.destination or group
    pair = (
        chosen.port or chosen.client_port or chosen.server_port or ((port, None) if port else None)
    )
    if not address or pair is None:
        raise RemoteProtocolError("SETUP for multicast answered without group or port")
    return MulticastTransport(address, _both(pair), chosen.ttl, chosen.source, chosen.ssrc)
