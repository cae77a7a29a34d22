"""AAC out of RTP, as MPEG4-GENERIC carries it (RFC 3640).

::

    | AU-headers-length 16, in bits | AU-size n | AU-Index n | … | padding | frame | frame | …

The SDP tells how wide the fields are; where it does not, the mode does. AU-Index is not looked at:
cameras do not interleave, and some count in it. A frame that does not fit a packet goes over
several with the same timestamp, each with the size of the whole.

Quirk 33: some cameras leave the ADTS header in front of each frame, or send ADTS without any AU
headers. It is taken off, and where it tells another rate or number of channels than the SDP, it is
right (UniFi changes them in mid-stream).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from axis_nvr.errors import WireError
from axis_nvr.media.units import AudioFormat, Codec
from axis_nvr.session.depacketizers.base import NO_FRAMES, Frame
from axis_nvr.wire.aac import (
    MAX_SAMPLE_RATE,
    AdtsHeader,
    AudioSpecificConfig,
    build_audio_specific_config,
    has_adts_header,
    parse_adts,
    parse_audio_specific_config,
    split_adts,
)

#: One frame, in bytes: eight channels of the largest size an AAC decoder takes, and room.
MAX_FRAME_BYTES = 16 * 1024
#: Frames in one packet.
MAX_PACKET_FRAMES = 64
#: Bits of one AU header field that the SDP may ask for.
MAX_FIELD_BITS = 32
#: For a track that tells no configuration and a clock rate that is no sample rate, in Hz.
DEFAULT_RATE = 48_000
#: AU-size, AU-Index and AU-Index-delta of each mode, in bits (RFC 3640 §3.3.5, §3.3.6).
MODE_FIELDS = {"aac-hbr": (13, 3, 3), "aac-lbr": (6, 2, 2)}
_SOURCE = "RFC 3640 §3.2.1"


@dataclass(frozen=True, slots=True)
class AuHeaderLayout:
    """How wide the fields of an AU header are, in bits; 0 where there is none.

    Source: RFC 3640 §4.1.
    """

    size: int = 13
    index: int = 3
    index_delta: int = 3
    composition_delta: int = 0
    decoding_delta: int = 0
    random_access: int = 0
    stream_state: int = 0
    auxiliary_size: int = 0
    constant_size: int = 0

    @classmethod
    def from_fmtp(cls, fmtp: Mapping[str, str]) -> "AuHeaderLayout":
        """Read the format parameters; what is missing or makes no sense is as the mode has it."""
        size, index, delta = MODE_FIELDS.get(fmtp.get("mode", "").lower(), (13, 3, 3))
        constant_size = _number(fmtp, "constantsize", 0, MAX_FRAME_BYTES)
        return cls(
            _number(fmtp, "sizelength", 0 if constant_size else size),
            _number(fmtp, "indexlength", index),
            _number(fmtp, "indexdeltalength", delta),
            _number(fmtp, "ctsdeltalength", 0),
            _number(fmtp, "dtsdeltalength", 0),
            _number(fmtp, "randomaccessindication", 0, 1),
            _number(fmtp, "streamstateindication", 0),
            _number(fmtp, "auxiliarydatasizelength", 0),
            constant_size,
        )

    def read_sizes(self, section: bytes, bits: int) -> list[int]:
        """Read the size of each frame out of the AU header section.

        :param bits: AU-headers-length.
        :raises WireError: a header is cut off, or there are too many.

        Source: RFC 3640 §3.2.1.1.
        """
        value, left = int.from_bytes(section, "big") >> (8 * len(section) - bits), bits
        sizes: list[int] = []

        def take(width: int) -> int:
            nonlocal left
            left -= width
            if left < 0:
                raise WireError(f"AU header cut off in {bits} bits", offset=2, source=_SOURCE)
            return value >> left & (1 << width) - 1

        while left > 0 and len(sizes) < MAX_PACKET_FRAMES:
            before = left
            size = take(self.size) if self.size else self.constant_size
            take(self.index_delta if sizes else self.index)
            for width in (self.composition_delta, self.decoding_delta):
                if width and take(1):  # whether the field is there
                    take(width)
            take(self.random_access)
            take(self.stream_state)
            sizes.append(size)
            if left == before:  # nothing in it takes room
                break
        if left > 0:
            raise WireError(f"{left} of {bits} bits of AU headers left", offset=2, source=_SOURCE)
        return sizes


def _number(fmtp: Mapping[str, str], name: str, default: int, most: int = MAX_FIELD_BITS) -> int:
    text = fmtp.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return default
    return int(text) if int(text) <= most else default


class AacDepacketizer:
    """Makes frames of RTP payloads.

    :param clock_rate: of the RTP timestamp, in Hz.
    :param channels: as the rtpmap says.
    :param fmtp: the format parameters; without a readable ``config`` clock rate and channels make
        one, of AAC-LC.
    """

    def __init__(self, clock_rate: int, channels: int, fmtp: Mapping[str, str]) -> None:
        self.discarded_units = 0
        self.suspected_encrypted = False
        self._clock_rate = clock_rate
        self._layout = AuHeaderLayout.from_fmtp(fmtp)
        self._lost, self._damaged = 0, False
        self._partial = bytearray()
        self._partial_size = 0
        self._partial_timestamp = 0
        try:
            record = bytes.fromhex(fmtp.get("config", ""))
            config = parse_audio_specific_config(record)
        except (ValueError, WireError):
            record = build_audio_specific_config(
                clock_rate if clock_rate <= MAX_SAMPLE_RATE else DEFAULT_RATE, min(channels, 6)
            )
            config = parse_audio_specific_config(record)
        self._config = config
        self.format = aac_format(record, config, channels)

    def push(self, payload: memoryview, timestamp: int, marker: bool, lost: int) -> Sequence[Frame]:
        """Take one payload; a packet without any frame is silence."""
        if self._partial and (lost or timestamp != self._partial_timestamp):
            self.damage()
        self._lost += lost
        if has_adts_header(payload):
            header, whole = split_adts(payload)
            self._follow(header)
            return self._frames(whole, timestamp)
        sizes, place = self._read_headers(payload)
        if len(sizes) == 1 and sizes[0] > len(payload) - place:
            return self._take_part(sizes[0], payload[place:], timestamp)
        if self._partial:  # its last part never came
            self.damage()
        frames: list[bytes] = []
        for size in sizes:
            if place + size > len(payload):
                raise WireError(f"frame of {size} bytes, {len(payload) - place} left", offset=place)
            if size:
                frames.append(self._bare(bytes(payload[place : place + size])))
            place += size
        return self._frames(frames, timestamp)

    def damage(self) -> None:
        """Note that a packet came and could not be used, and give up what is not whole."""
        self._partial.clear()
        self.discarded_units += 1
        self._damaged = True

    def flush(self) -> Sequence[Frame]:
        """Throw away a frame that is not whole."""
        if self._partial:
            self.damage()
        return NO_FRAMES

    def _read_headers(self, payload: memoryview) -> tuple[list[int], int]:
        """Read AU headers and auxiliary section: the sizes of the frames, and where they begin."""
        if len(payload) < 2:
            raise WireError(f"AAC payload of {len(payload)} bytes", offset=0, source=_SOURCE)
        bits = payload[0] << 8 | payload[1]
        place = 2 + (bits + 7) // 8
        if place > len(payload):
            raise WireError(f"AU headers of {bits} bits", offset=0, source=_SOURCE)
        sizes = self._layout.read_sizes(bytes(payload[2:place]), bits)
        width = self._layout.auxiliary_size
        if width:
            first = bytes(payload[place : place + 8])
            skipped = int.from_bytes(first.ljust(8, b"\0"), "big") >> (64 - width)
            place += (width + skipped + 7) // 8
        return sizes, place

    def _take_part(self, size: int, part: memoryview, timestamp: int) -> Sequence[Frame]:
        """Take a part of a frame that goes over several packets."""
        if size > MAX_FRAME_BYTES:
            raise WireError(f"frame of {size} bytes, at most {MAX_FRAME_BYTES} allowed")
        if self._partial and size != self._partial_size:
            self.damage()
        if not self._partial:
            self._partial_size, self._partial_timestamp = size, timestamp
        self._partial += part
        if len(self._partial) < size:
            return NO_FRAMES
        whole = bytes(self._partial[:size])
        self._partial.clear()
        return self._frames([self._bare(whole)], timestamp)

    def _bare(self, frame: bytes) -> bytes:
        """Take an ADTS header off, and learn from it."""
        if not has_adts_header(frame):
            return frame
        header = parse_adts(frame)
        self._follow(header)
        return frame[header.header_bytes : header.frame_bytes]

    def _follow(self, header: AdtsHeader) -> None:
        """Take over rate and channels of an ADTS header where they are others."""
        told, known = header.config, self._config
        same = (told.core_rate, told.channel_configuration) == (
            known.core_rate,
            known.channel_configuration,
        )
        if same or not told.channel_configuration:
            return
        record = build_audio_specific_config(
            told.core_rate, told.channel_configuration, told.object_type
        )
        self._config = parse_audio_specific_config(record)
        self.format = aac_format(record, self._config, told.core_channels)

    def _frames(self, frames: Sequence[bytes], timestamp: int) -> list[Frame]:
        """Give each frame of a packet its time."""
        made: list[Frame] = []
        for index, data in enumerate(frames):
            later = frame_ticks(self._config, self._clock_rate, index)
            made.append(
                Frame(timestamp + later, data, True, self.format, self._lost, self._damaged)
            )
            self._lost, self._damaged = 0, False
        return made


def aac_format(record: bytes, config: AudioSpecificConfig, channels: int) -> AudioFormat:
    """Make the format of an AAC track.

    :param channels: where the configuration does not tell.
    """
    return AudioFormat(Codec.AAC, record, config.sample_rate, config.channels or channels)


def frame_ticks(config: AudioSpecificConfig, clock_rate: int, count: int) -> int:
    """Tell how long `count` frames last, in ticks of the RTP timestamp."""
    return count * config.samples_per_frame * clock_rate // config.core_rate
