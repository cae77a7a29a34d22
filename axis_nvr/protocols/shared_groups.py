"""Multicast groups whose packets come from the presentations themselves, not from any client's.

All who ask for the same track hear the same group: one synchronisation source, one row of sequence
numbers, however many come and go.
"""

from dataclasses import dataclass
from typing import Protocol as Interface

from axis_nvr.protocols.presentation import IPresentation
from axis_nvr.protocols.rtp_delivery import UdpPorts


@dataclass(frozen=True, slots=True)
class SharedDelivery:
    """A group that a client was told to listen to.

    :param address: of the group.
    :param ports: for RTP and RTCP.
    :param ttl: in hops.
    :param ssrc: the synchronisation source of what is sent there.
    """

    address: str
    ports: tuple[int, int]
    ttl: int
    ssrc: int

    def close(self) -> None:
        """Nothing to give back: the presentation leaves the group when it stops."""


class IGroups(Interface):
    """Knows what goes to which group."""

    def join(self, presentation: IPresentation, track: int, ports: UdpPorts) -> SharedDelivery:
        """Let a client take part in the group of a track, from its PLAY until `stop`.

        :param ports: what is sent to groups is sent from there.
        :raises RequestRefused: 461, this cannot be had by multicast; 404, there is no such track.
        """
