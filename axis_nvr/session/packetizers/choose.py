"""Which packetizer a format needs, and how its track is described.

::

    format ─► offered_track(format)    what DESCRIBE tells, None if RTP cannot carry it
           └► packetizer_for(format)   unit ─► bursts: packets of one timestamp each

A burst is the same for all clients that agree on the packet size; what differs between them,
`axis_nvr.session.rtp_sender` puts in front.

A unit tells its own format, so one packetizer serves a track through changes of its parameter sets:
they go out in band before each picture that decoding can begin with.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from axis_nvr.errors import WireError
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Format, VideoFormat
from axis_nvr.session.packetizers import aac, h264, h265, jpeg, metadata, samples
from axis_nvr.session.packetizers.nal import NalUnit
from axis_nvr.session.server import description
from axis_nvr.session.server.description import OfferedTrack
from axis_nvr.wire import nal


class Burst(NamedTuple):
    """Packets of one timestamp.

    :ivar payloads: of the packets, in order. Never empty.
    :ivar ticks: how much later than the unit, on the media clock: samples that are cut.
    :ivar marker: whether the last packet bears the marker.
    """

    payloads: list[bytes]
    ticks: int = 0
    marker: bool = True


#: Lays a unit into packets whose payloads have that many bytes at most. Raises `WireError` for a
#: unit that RTP cannot carry; the ones after it may go.
Packetizer: TypeAlias = Callable[[AccessUnit, int], list[Burst]]


def packetizer_for(format_: Format) -> Packetizer | None:
    """Return the packetizer of a track; None if RTP cannot carry it.

    :param format_: of any unit of the track.
    """
    return _PACKETIZERS.get(format_.codec)


def offered_track(format_: Format) -> OfferedTrack | None:
    """Describe a track; None if RTP cannot carry it, or its parameter sets are not known."""
    if isinstance(format_, VideoFormat):
        return _offered_video(format_)
    if isinstance(format_, AudioFormat):
        return _offered_sound(format_)
    return description.metadata_track()


def _offered_video(format_: VideoFormat) -> OfferedTrack | None:
    if format_.codec is Codec.JPEG:
        return description.jpeg_track(format_.frame_rate)
    if not format_.parameter_sets:
        return None
    offer = description.h264_track if format_.codec is Codec.H264 else description.h265_track
    return offer(format_.parameter_sets, format_.frame_rate)


def _offered_sound(format_: AudioFormat) -> OfferedTrack | None:
    rate, channels = format_.sample_rate, format_.channels
    match format_.codec:
        case Codec.AAC:
            return description.aac_track(format_.codec_private, rate, channels)
        case Codec.OPUS:
            return description.opus_track(channels)
        case Codec.PCMU | Codec.PCMA:
            return description.g711_track(format_.codec.upper(), rate, channels)
        case Codec.G726:
            return description.samples_track(
                f"G726-{8 * format_.bits_per_sample}", rate, channels, format_.bits_per_sample
            )
        case Codec.L16:
            return description.samples_track("L16", rate, channels, 16)
    return None


def _h264(unit: AccessUnit, limit: int) -> list[Burst]:
    nal_units = _with_parameter_sets(unit, nal.h264_nal_type, nal.H264NalType.ACCESS_UNIT_DELIMITER)
    return _burst(h264.packetize(nal_units, limit))


def _h265(unit: AccessUnit, limit: int) -> list[Burst]:
    nal_units = _with_parameter_sets(unit, nal.h265_nal_type, nal.H265NalType.ACCESS_UNIT_DELIMITER)
    return _burst(h265.packetize(nal_units, limit))


def _with_parameter_sets(
    unit: AccessUnit, kind: Callable[[NalUnit], int], delimiter: int
) -> Iterable[NalUnit]:
    """Put the parameter sets before a picture that decoding can begin with.

    A delimiter comes first of all (H.264 §7.4.1.2.3, H.265 §7.4.2.4.4).
    """
    slices = list(nal.split_sample(unit.data))
    if not unit.sync or not isinstance(unit.format, VideoFormat):
        return slices
    first = int(bool(slices) and len(slices[0]) > 0 and kind(slices[0]) == delimiter)
    return [*slices[:first], *unit.format.parameter_sets, *slices[first:]]


def _jpeg(unit: AccessUnit, limit: int) -> list[Burst]:
    return _burst(jpeg.packetize(unit.data, limit))


def _aac(unit: AccessUnit, limit: int) -> list[Burst]:
    if len(unit.data) > aac.MAX_FRAME_BYTES:
        raise WireError(f"an AAC frame of {len(unit.data)} bytes", source="RFC 3640 §3.3.6")
    return _burst(aac.packetize(unit.data, limit))


def _opus(unit: AccessUnit, limit: int) -> list[Burst]:
    """Let each frame be a packet, however large: RFC 7587 §4.2 cannot cut it."""
    return [Burst([bytes(unit.data)], marker=False)] if unit.data else []


def _samples(unit: AccessUnit, limit: int) -> list[Burst]:
    assert isinstance(unit.format, AudioFormat)
    grain = samples.grain_of(unit.format)
    pieces = samples.packetize(unit.data, limit, grain)
    return [Burst([payload], ticks, marker=False) for payload, ticks in pieces]


def _metadata(unit: AccessUnit, limit: int) -> list[Burst]:
    return _burst(metadata.packetize(bytes(unit.data), limit))


def _burst(payloads: list[bytes]) -> list[Burst]:
    return [Burst(payloads)] if payloads else []


_PACKETIZERS: dict[Codec, Packetizer] = {
    Codec.H264: _h264,
    Codec.H265: _h265,
    Codec.JPEG: _jpeg,
    Codec.AAC: _aac,
    Codec.OPUS: _opus,
    Codec.PCMU: _samples,
    Codec.PCMA: _samples,
    Codec.G726: _samples,
    Codec.L16: _samples,
    Codec.ONVIF_METADATA: _metadata,
}
