"""The tracks of a block or recording together: in Matroska, in XML, in the index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from axis_nvr.media.units import AccessUnit, AudioFormat, Format, VideoFormat
from axis_nvr.storage.clusters import BlockTrack
from axis_nvr.storage.index import MediaRow
from axis_nvr.storage.tracks import (
    MIME_TYPES,
    audio_properties,
    audio_track,
    audio_xml,
    nominal_frame_rate,
    sample_converter,
    video_properties,
    video_track,
    video_xml,
)
from axis_nvr.storage.xml import TrackXml
from axis_nvr.wire.matroska import Track


def track_order(formats: Mapping[int, Format]) -> list[int]:
    """Give the tracks' indexes, video first: the first is the main track."""
    return sorted(formats, key=lambda index: (not isinstance(formats[index], VideoFormat), index))


@dataclass(frozen=True, slots=True)
class StreamTracks:
    """What tracks there are.

    :param formats: of each track, by its index in the stream; no metadata.
    :param frame_rate: pictures a second, None if unknown or without video.
    """

    formats: Mapping[int, Format]
    frame_rate: Fraction | None = None

    @classmethod
    def of_units(
        cls,
        formats: Mapping[int, Format],
        units: Sequence[AccessUnit],
        asked: Fraction | None,
    ) -> "StreamTracks":
        """Tell the tracks of a group.

        :param asked: pictures a second that were asked for; goes behind what the stream says of
            itself and before what the group shows.
        """
        video = next((f for f in formats.values() if isinstance(f, VideoFormat)), None)
        if video is None:
            return cls(formats)
        shown = nominal_frame_rate(video, units)
        return cls(formats, shown if video.frame_rate is not None else asked or shown)

    def joined(self, other: "StreamTracks") -> "StreamTracks":
        """Give these tracks and another block's, whose formats count where both have a track."""
        formats = {**self.formats, **other.formats}
        return StreamTracks(formats, other.frame_rate or self.frame_rate)

    def numbered(self) -> dict[int, BlockTrack]:
        """Number the tracks as a block does, from 1, by their index in the stream."""
        tracks = {}
        for number, index in enumerate(track_order(self.formats), 1):
            form = self.formats[index]
            convert = sample_converter(form) if isinstance(form, AudioFormat) else None
            tracks[index] = BlockTrack(number, form, convert)
        return tracks

    def matroska(self) -> tuple[Track, ...]:
        """Give the tracks as a block declares them."""
        return tuple(
            video_track(track.number, track.format, self.frame_rate)
            if isinstance(track.format, VideoFormat)
            else audio_track(track.number, track.format)
            for track in self.numbered().values()
            if isinstance(track.format, VideoFormat | AudioFormat)
        )

    def xml(self) -> tuple[TrackXml, ...]:
        """Give the tracks as ``recording.xml`` declares them."""
        ordered = [self.formats[index] for index in track_order(self.formats)]
        video = [video_xml(f, self.frame_rate) for f in ordered if isinstance(f, VideoFormat)]
        sounds = (f for f in ordered if isinstance(f, AudioFormat))
        return (*video, *(audio_xml(sound, n) for n, sound in enumerate(sounds, 1)))

    def video_row(self) -> MediaRow | None:
        """Give what the index says of the video track, if there is one."""
        for form in self.formats.values():
            if isinstance(form, VideoFormat):
                return MediaRow(MIME_TYPES[form.codec], video_properties(form, self.frame_rate))
        return None

    def audio_row(self) -> MediaRow | None:
        """Give what the index says of the first audio track, if there is one."""
        for form in self.formats.values():
            if isinstance(form, AudioFormat):
                return MediaRow(MIME_TYPES[form.codec], audio_properties(form))
        return None
