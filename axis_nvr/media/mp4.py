"""Groups of units as fragments of an MP4 file.

All tracks count their time from the same moment, the file's start. A picture is decoded when the
picture is shown that takes its place in the order of showing, so that the first one is decoded at
the file's start and others at most a few pictures early; what is shown later than it is decoded
says so. Sound is laid end to end where its times, known to a millisecond, allow it. Over a gap time
jumps, and stays right.

Cameras change their parameter sets: a track has a sample entry for each format that is told before
the first fragment, and fragments say which they mean. Not all players look there (ffmpeg and those
built on it do not), so in such a track each key frame carries its parameter sets as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from axis_nvr.errors import NvrError
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Format, VideoFormat
from axis_nvr.wire.isobmff import (
    Run,
    Sample,
    SampleTrack,
    aac_entry,
    avc_entry,
    build_fragment,
    build_head,
    hevc_entry,
    linear_pcm_entry,
    log_pcm_entry,
    opus_entry,
)
from axis_nvr.wire.opus import packet_samples, parse_opus_head

#: Ticks a second of video tracks.
VIDEO_TIMESCALE = 90_000
#: How far sound may be from the end of the sound before it and still follow it, in microseconds:
#: times are stored in milliseconds.
SOUND_SLACK_US = 2_500
#: How long the last picture is shown if nothing tells, in microseconds.
LAST_PICTURE_US = 40_000
#: Samples of an AAC frame, in each channel (ISO/IEC 14496-3 §4.5.2.1).
AAC_FRAME_SAMPLES = 1024

_VIDEO = {Codec.H264: avc_entry, Codec.H265: hevc_entry}
_LOG_PCM = {Codec.PCMU: b"ulaw", Codec.PCMA: b"alaw"}


class NotInMp4(NvrError):
    """A format has no place in an MP4 file."""


def sample_entry(form: Format, *, in_band: bool = False) -> bytes:
    """Give the sample entry of a format.

    :param in_band: parameter sets are in the samples too.
    :raises NotInMp4: there is none: Motion JPEG, G.726, metadata.
    """
    if isinstance(form, VideoFormat) and form.codec in _VIDEO:
        make = _VIDEO[form.codec]
        return make(form.width, form.height, form.codec_private, in_band=in_band)
    if isinstance(form, AudioFormat):
        channels, rate = form.channels, form.sample_rate
        if form.codec is Codec.AAC:
            return aac_entry(channels, rate, form.codec_private)
        if form.codec in _LOG_PCM:
            return log_pcm_entry(_LOG_PCM[form.codec], channels, rate)
        if form.codec is Codec.L16:
            return linear_pcm_entry(channels, rate, 16)
        if form.codec is Codec.OPUS:
            head = parse_opus_head(form.codec_private)
            mapping = form.codec_private[18:] or b"\0"  # from the mapping family on
            return opus_entry(head.channels, head.pre_skip, head.input_sample_rate, 0, mapping)
    raise NotInMp4(f"{form.codec} has no place in an MP4 file")


def with_sets(unit: AccessUnit) -> AccessUnit:
    """Put the parameter sets of a key frame in front of it."""
    if not unit.sync or not isinstance(unit.format, VideoFormat):
        return unit
    sets = b"".join(len(one).to_bytes(4, "big") + one for one in unit.format.parameter_sets)
    return unit._replace(data=sets + unit.data)


def unit_samples(unit: AccessUnit) -> int:
    """Tell how many samples a unit of sound has, in each channel."""
    form = unit.format
    assert isinstance(form, AudioFormat)
    if form.codec is Codec.AAC:
        return AAC_FRAME_SAMPLES
    if form.codec is Codec.OPUS:
        return packet_samples(bytes(unit.data))
    return len(unit.data) * 8 // max(1, form.channels * form.bits_per_sample)


@dataclass(slots=True, eq=False)
class _Track:
    """A track of the file.

    :ivar in_band: whether key frames carry their parameter sets.
    :ivar expected: where its sound ends so far, in ticks.
    """

    number: int
    timescale: int
    is_video: bool
    entries: dict[bytes, int] = field(default_factory=dict)
    in_band: bool = False
    expected: int | None = None


class Mp4Writer:
    """Writes an MP4 file group by group.

    :param formats: of each track, by its index, every format it will have; the first one first.
    :param start_us: the file's start: UTC, microseconds since 1970.
    :raises NotInMp4: a format of a video track has no place in the file. Sound that has none is
        left out.
    :ivar left_out: the sound that is left out.
    """

    def __init__(self, formats: Mapping[int, Sequence[Format]], start_us: int) -> None:
        self.left_out: list[Format] = []
        self._start_us = start_us
        self._number = 0
        self._tracks: dict[int, _Track] = {}
        self._described: list[SampleTrack] = []
        for index, forms in formats.items():
            self._add(index, forms)
        if not self._tracks:
            raise NotInMp4("nothing that has a place in an MP4 file")

    def _add(self, index: int, forms: Sequence[Format]) -> None:
        first = forms[0]
        try:
            entries = dict.fromkeys(sample_entry(form) for form in forms)
            in_band = len(entries) > 1 and isinstance(first, VideoFormat)
            if in_band:
                entries = dict.fromkeys(sample_entry(form, in_band=True) for form in forms)
        except NotInMp4:
            if isinstance(first, VideoFormat):
                raise
            self.left_out += forms
            return
        numbered = {entry: n for n, entry in enumerate(entries, 1)}
        number = len(self._tracks) + 1
        width, height, scale, name = 0, 0, VIDEO_TIMESCALE, "Video"
        if isinstance(first, VideoFormat):
            width, height = first.width, first.height
        elif isinstance(first, AudioFormat):
            scale, name = 48_000 if first.codec is Codec.OPUS else first.sample_rate, "Audio"
        is_video = isinstance(first, VideoFormat)
        self._tracks[index] = _Track(number, scale, is_video, numbered, in_band)
        self._described.append(
            SampleTrack(number, name, scale, is_video, tuple(numbered), width, height)
        )

    @property
    def track_ids(self) -> dict[int, int]:
        """The file's track ids, by the tracks' index."""
        return {index: track.number for index, track in self._tracks.items()}

    def head(self, user_data: bytes = b"") -> bytes:
        """Give what the file begins with.

        :param user_data: boxes that tell of the file as a whole.
        """
        return build_head(self._described, user_data)

    def fragment(self, units: Iterable[AccessUnit], end_us: int) -> list[bytes | bytearray]:
        """Give a fragment, in pieces; nothing if no unit has a place in the file.

        :param units: of one group, in decoding order.
        :param end_us: when the next group begins; the last picture is shown until then.
        """
        runs: list[Run] = []
        data: list[bytes | bytearray] = []
        by_track: dict[int, list[AccessUnit]] = {}
        for unit in units:
            track = self._tracks.get(unit.track)
            if track is not None and unit.data:
                unit = with_sets(unit) if track.in_band else unit
                by_track.setdefault(unit.track, []).append(unit)
        for index, track in self._tracks.items():
            for part in _of_one_format(by_track.get(index, [])):
                runs.append(self._run(track, part, end_us))
                data += [unit.data for unit in part]
        if not runs:
            return []
        self._number += 1
        return [build_fragment(self._number, runs), *data]

    def _run(self, track: _Track, units: Sequence[AccessUnit], end_us: int) -> Run:
        entry = track.entries.get(sample_entry(units[0].format, in_band=track.in_band))
        if entry is None:
            raise NotInMp4("a format that was not told before the first fragment")
        if track.is_video:
            return self._pictures(track, units, end_us, entry)
        return self._sound(track, units, entry)

    def _ticks(self, track: _Track, utc_us: int) -> int:
        return round((utc_us - self._start_us) * track.timescale / 1_000_000)

    def _pictures(self, track: _Track, units: Sequence[AccessUnit], end_us: int, entry: int) -> Run:
        shown = [max(0, self._ticks(track, unit.utc_us)) for unit in units]
        decoded = sorted(shown)
        end = self._ticks(track, end_us)
        if end <= decoded[-1]:
            end = decoded[-1] + LAST_PICTURE_US * track.timescale // 1_000_000
        durations = [b - a for a, b in zip(decoded, [*decoded[1:], end], strict=True)]
        samples = [
            Sample(duration, len(unit.data), unit.sync, show - decode)
            for unit, show, decode, duration in zip(units, shown, decoded, durations, strict=True)
        ]
        return Run(track.number, decoded[0], samples, entry)

    def _sound(self, track: _Track, units: Sequence[AccessUnit], entry: int) -> Run:
        slack = SOUND_SLACK_US * track.timescale // 1_000_000
        first = max(0, self._ticks(track, units[0].utc_us))
        if track.expected is not None and abs(first - track.expected) <= slack:
            first = track.expected
        at, samples = first, []
        for place, unit in enumerate(units):
            duration = unit_samples(unit)
            if place + 1 < len(units):
                following = self._ticks(track, units[place + 1].utc_us)
                if following - (at + duration) > slack:  # something is missing in between
                    duration = following - at
            samples.append(Sample(duration, len(unit.data), True))
            at += duration
        track.expected = at
        return Run(track.number, first, samples, entry)


def _of_one_format(units: Sequence[AccessUnit]) -> Iterable[Sequence[AccessUnit]]:
    """Cut units where their format changes."""
    begin = 0
    for at, unit in enumerate(units):
        if unit.format != units[begin].format:
            yield units[begin:at]
            begin = at
    if units:
        yield units[begin:]
