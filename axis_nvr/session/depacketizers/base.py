"""What every depacketizer has in common: RTP payloads go in, frames come out.

A depacketizer is told how many packets are missing before the one it gets and throws away exactly
what that makes incomplete. Each frame that follows tells it, once.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from axis_nvr.media.units import Format


class Frame(NamedTuple):
    """One access unit, before its time on the wall clock is known.

    :ivar timestamp: presentation time on the media clock: the RTP timestamp, unwrapped, in ticks.
    :ivar data: as in `axis_nvr.media.units.AccessUnit`; not changed afterwards.
    :ivar sync: decoding can begin here.
    :ivar format: how to decode it.
    :ivar lost: packets that never came since the frame before.
    :ivar damaged: something that came between the frame before and this one was thrown away,
        because a part of it was lost or it could not be read.
    """

    timestamp: int
    data: bytes | bytearray
    sync: bool
    format: Format
    lost: int = 0
    damaged: bool = False


#: What `Depacketizer.push` returns for most packets.
NO_FRAMES: Sequence[Frame] = ()


class Depacketizer(Protocol):
    """Makes frames of the RTP payloads of one track.

    :ivar discarded_units: units that were thrown away, so far.
    :ivar suspected_encrypted: the packets are in order and what they carry cannot be decoded.
    """

    discarded_units: int
    suspected_encrypted: bool

    @property
    def format(self) -> Format | None:
        """The format of the frames to come, as far as it is known."""

    def push(self, payload: memoryview, timestamp: int, marker: bool, lost: int) -> Sequence[Frame]:
        """Take the payload of one packet.

        :param payload: a view; nothing of it is kept.
        :param timestamp: unwrapped, in ticks.
        :param marker: the marker bit.
        :param lost: packets missing directly before this one.
        :returns: the frames it completes, in decoding order.
        :raises WireError: the payload breaks its format. Call `damage`; frames that were complete
            before come out of the next call.
        """

    def damage(self) -> None:
        """Note that a packet came and could not be used."""

    def flush(self) -> Sequence[Frame]:
        """End the stream: return what is complete, throw away the rest."""
