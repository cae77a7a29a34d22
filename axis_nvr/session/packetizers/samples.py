"""Sound without frames in RTP: samples of a fixed size, cut between any two that may part.

::

    PCMU, PCMA   a byte a sample and channel              parts at a sample       RFC 3551 §4.5.14
    L16          two bytes a sample and channel           parts at a sample       RFC 3551 §4.5.11
    G726         2 to 5 bits a sample, lowest first       parts at eight samples  RFC 3551 §4.5.4

Nothing stands around the samples. Each packet has its own timestamp.
"""

from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.media.units import AudioFormat, Codec


class Grain(NamedTuple):
    """The least that samples can be cut into.

    :ivar size_bytes: bytes of it.
    :ivar samples: how long it is, on the media clock.
    """

    size_bytes: int
    samples: int


def grain_of(format_: AudioFormat) -> Grain:
    """Tell how the samples of a format can be cut.

    :raises WireError: the format has no samples of a fixed size.
    """
    channels = max(1, format_.channels)
    match format_.codec:
        case Codec.PCMU | Codec.PCMA:
            return Grain(channels, 1)
        case Codec.L16:
            return Grain(2 * channels, 1)
        case Codec.G726 if 2 <= format_.bits_per_sample <= 5:
            return Grain(format_.bits_per_sample * channels, 8)
    raise WireError(f"no samples of a fixed size in {format_.codec}", source="RFC 3551 §4.5")


def packetize(
    samples: bytes | bytearray | memoryview, limit: int, grain: Grain
) -> list[tuple[bytes, int]]:
    """Lay samples into RTP payloads, none of which bears the marker.

    :param limit: bytes of the largest payload, the RTP header not counted.
    :returns: each payload with its time behind the first, in ticks.
    """
    view = memoryview(samples)
    step = max(1, limit // grain.size_bytes) * grain.size_bytes
    return [
        (bytes(view[place : place + step]), place // grain.size_bytes * grain.samples)
        for place in range(0, len(view), step)
    ]
