"""Codecs of which each RTP packet is a frame: G.711, G.726, L16 and Opus.

::

    PCMU, PCMA    a byte a sample                                        RFC 3551 §4.5.14
    G726-32       code words of 4 bits (16: 2, 24: 3, 40: 5),            RFC 3551 §4.5.4
                  the first in the lowest bits of its byte
    AAL2-G726-32  the same, the first in the highest bits: turned round, so that a frame is always
                  packed in the way above
    L16           samples of 16 bits, big endian, channels in turn       RFC 3551 §4.5.11
    Opus          a packet of 2.5 to 120 ms                              RFC 7587 §4.2

The marker says that sound begins after silence, and is not looked at.
"""

from collections.abc import Callable, Sequence

from axis_nvr.errors import WireError
from axis_nvr.media.units import AudioFormat, Codec
from axis_nvr.session.depacketizers.base import NO_FRAMES, Frame
from axis_nvr.wire.opus import OPUS_RATE, build_opus_head, packet_samples

#: Makes the frame of a payload, or raises `WireError`.
Reader = Callable[[memoryview], bytes]


class WholePacketDepacketizer:
    """Makes a frame of each packet.

    :param format_: of all frames.
    :param read: makes the frame of a payload that is not empty.
    """

    def __init__(self, format_: AudioFormat, read: Reader = bytes) -> None:
        self.format = format_
        self.discarded_units = 0
        self.suspected_encrypted = False
        self._read = read
        self._lost, self._damaged = 0, False

    def push(self, payload: memoryview, timestamp: int, marker: bool, lost: int) -> Sequence[Frame]:
        """Take one packet; an empty one is silence and no frame."""
        self._lost += lost
        if not payload:
            return NO_FRAMES
        data = self._read(payload)
        frame = Frame(timestamp, data, True, self.format, self._lost, self._damaged)
        self._lost, self._damaged = 0, False
        return (frame,)

    def damage(self) -> None:
        """Note that a packet came and could not be used."""
        self.discarded_units += 1
        self._damaged = True

    def flush(self) -> Sequence[Frame]:
        """Nothing is ever held back."""
        return NO_FRAMES


def g711(codec: Codec, sample_rate: int, channels: int) -> WholePacketDepacketizer:
    """Make the depacketizer of `Codec.PCMU` or `Codec.PCMA`."""
    return WholePacketDepacketizer(AudioFormat(codec, b"", sample_rate, channels, 8))


def g726(bits: int, sample_rate: int, channels: int, *, aal2: bool) -> WholePacketDepacketizer:
    """Make the depacketizer of G.726.

    :param bits: of a code word, 2 to 5.
    :param aal2: packed from the highest bit down.
    """

    def turn(payload: memoryview) -> bytes:
        parts = (bytes(payload[i : i + bits]) for i in range(0, len(payload), bits))
        return b"".join(turn_code_words(part, bits) for part in parts)

    format_ = AudioFormat(Codec.G726, b"", sample_rate, channels, bits)
    return WholePacketDepacketizer(format_, turn if aal2 else bytes)


def turn_code_words(data: bytes, bits: int) -> bytes:
    """Lay code words that go from the highest bit down from the lowest bit up.

    :param data: whole code words: `bits` bytes are eight of them.
    """
    word, count = int.from_bytes(data, "big"), len(data) * 8 // bits
    word >>= len(data) * 8 - count * bits
    turned = 0
    for _ in range(count):
        turned = turned << bits | word & (1 << bits) - 1
        word >>= bits
    return turned.to_bytes(len(data), "little")


def l16(sample_rate: int, channels: int) -> WholePacketDepacketizer:
    """Make the depacketizer of uncompressed sound; a frame is big endian, as it came."""
    sample_bytes = 2 * channels

    def whole_samples(payload: memoryview) -> bytes:
        size = len(payload) - len(payload) % sample_bytes
        if not size:
            raise WireError(f"{len(payload)} bytes of L16", offset=0, source="RFC 3551 §4.5.11")
        return bytes(payload[:size])

    format_ = AudioFormat(Codec.L16, b"", sample_rate, channels, 16)
    return WholePacketDepacketizer(format_, whole_samples)


def opus(channels: int) -> WholePacketDepacketizer:
    """Make the depacketizer of Opus.

    :param channels: as the SDP says; the RFC asks for 2, some cameras say 1 (quirk 33).
    """

    def checked(payload: memoryview) -> bytes:
        packet_samples(payload)
        return bytes(payload)

    channels = min(channels, 2)
    format_ = AudioFormat(Codec.OPUS, build_opus_head(channels), OPUS_RATE, channels)
    return WholePacketDepacketizer(format_, checked)
