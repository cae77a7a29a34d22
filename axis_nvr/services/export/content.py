"""What is exported: parts of recordings on one line of time, and the tracks they share.

Theory of operation. A file has one time line that starts at 0, and its time never goes back. Parts
are laid on it where their UTC puts them, so that the file's start date plus a time is when the
camera took it, across gaps too. Where a clock was set back the next part follows the one before it,
and `Placed.later_us` tells by how much its times are wrong from there on.

Blocks have tracks of their own; in the file those of the same kind are one track. When a camera
changes its parameter sets a new block begins. Players show one video track, and set their decoder
up once; so all pictures of a codec go into one track, and as soon as there is more than one format
in it, each key frame carries its own parameter sets, which every decoder of H.264 and H.265 minds
(ffmpeg, mpv, VLC, browsers' in MP4 have sample entries instead). Another codec is another track, of
which players show the first.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from axis_nvr.errors import NvrError
from axis_nvr.media.units import Format, Gap, GapReason, VideoFormat
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.reading.formats import track_format
from axis_nvr.storage.reading.moving import is_own, read_first_cluster
from axis_nvr.storage.reading.parts import Part
from axis_nvr.wire.ebml import parse_header
from axis_nvr.wire.matroska import MAX_TRACK_NUMBER, Track
from axis_nvr.wire.matroska_elements import VIDEO_TRACK
from axis_nvr.wire.matroska_reader import parse_cluster

#: A part that begins so long before the end of the one before it is on another clock.
STEP_US = 1_000_000
#: What makes tracks of blocks one track of the file.
_Key = tuple[object, ...]


class NothingToExport(NvrError):
    """There are no pictures and no sound there."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A part on the file's time line.

    :param zero_us: where on the line the block's timestamp 0 is; may be negative.
    :param later_us: how much later than its UTC it is shown.
    :param own: whether we wrote it.
    :param numbers: numbers of the file's tracks, by those of the block.
    """

    part: Part
    zero_us: int
    later_us: int
    own: bool
    numbers: dict[int, int]

    @property
    def shift_ms(self) -> int:
        """What is added to the times of the block."""
        return (self.zero_us + 500) // 1000


@dataclass(slots=True)
class FileTrack:
    """A track of the file.

    :param track: as it is first met.
    :param formats: all that it has, the first one first.
    """

    track: Track
    formats: list[Format] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether its format changes."""
        return len(self.formats) > 1


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds.

    :param start_us: UTC of time 0, microseconds since 1970.
    :param end_us: UTC of its end.
    :param gaps: what is missing, in order of time.
    """

    placed: Sequence[Placed]
    tracks: Sequence[FileTrack]
    start_us: int
    end_us: int
    gaps: Sequence[Gap]

    @property
    def duration_us(self) -> int:
        """How long the file lasts."""
        last = self.placed[-1]
        return last.part.end_us - last.part.date_us + last.zero_us

    @property
    def size_bytes(self) -> int:
        """How much media it holds."""
        return sum(placed.part.end - placed.part.offset for placed in self.placed)


def lay_out(files: IFiles, found: Iterable[Part | Gap]) -> Content:
    """Lay parts on a line.

    :raises NothingToExport: there are none.
    :raises StorageError: a block cannot be read.
    """
    parts: list[Part] = []
    lost: list[Gap] = []
    for one in found:
        if isinstance(one, Gap):
            lost.append(one)
        else:
            parts.append(one)
    if not parts:
        raise NothingToExport("there are no pictures and no sound there")
    start_us = _first_us(files, parts[0])
    tracks: dict[_Key, FileTrack] = {}
    placed = list(_placed(files, parts, start_us, tracks))
    gaps = [gap for part in parts for gap in part.gaps if gap.end_us > start_us] + lost
    gaps += [
        Gap(before.part.end_us, one.part.times[0], GapReason.CLOCK_STEPPED)
        for before, one in pairwise(placed)
        if one.later_us != before.later_us
    ]
    gaps = sorted(set(gaps), key=lambda gap: (gap.start_us, gap.end_us, gap.reason))
    end_us = max(part.end_us for part in parts)
    return Content(placed, list(tracks.values()), start_us, end_us, gaps)


def _first_us(files: IFiles, part: Part) -> int:
    """Tell when the first picture is shown, or the first sound is heard, of all that is there."""
    data = read_first_cluster(files, part)
    if not data:
        return part.times[0]
    try:
        cluster = parse_cluster(memoryview(data)[parse_header(data).data_offset :])
    except NvrError:
        return part.times[0]
    first_ms = min((frame.time_ms for frame in cluster.frames), default=0)
    return part.date_us + first_ms * 1000 if cluster.frames else part.times[0]


def _placed(
    files: IFiles, parts: Sequence[Part], start_us: int, tracks: dict[_Key, FileTrack]
) -> Iterator[Placed]:
    later_us, end_us = 0, start_us
    for part in parts:
        if part.times[0] + later_us < max(start_us, end_us - STEP_US):
            later_us = end_us - part.times[0]
        end_us = part.end_us + later_us
        own = is_own(files, part)
        numbers = {
            track.number: _join(tracks, track, own=own, ordinal=ordinal)
            for track, ordinal in _numbered(part.head.tracks, part.head.main_track)
        }
        zero_us = part.date_us + later_us - start_us
        yield Placed(part, zero_us, later_us, own, numbers)


def _numbered(tracks: Sequence[Track], main: int) -> Iterator[tuple[Track, int]]:
    """Give the tracks, the main one first, and which of its kind each is."""
    counts: dict[int, int] = {}
    for track in sorted(tracks, key=lambda track: (track.number != main, track.number)):
        ordinal = counts[track.kind] = counts.get(track.kind, 0) + 1
        yield track, ordinal


def _join(tracks: dict[_Key, FileTrack], track: Track, *, own: bool, ordinal: int) -> int:
    """Give the number of the file's track that a block's track goes into."""
    form = track_format(track)
    key: _Key = (track.kind, track.codec_id, ordinal)
    if track.kind != VIDEO_TRACK or not own:
        shape = (track.width, track.height, track.sample_rate, track.channels)
        key = (*key, track.codec_private, *shape)
    known = tracks.get(key)
    if known is None:
        number = len(tracks) + 1
        if number > MAX_TRACK_NUMBER:
            raise NothingToExport(f"formats changed so often that {number} tracks were needed")
        known = tracks[key] = FileTrack(replace(track, number=number))
    if form is not None and form not in known.formats:
        known.formats.append(form)
    return known.track.number


def parameter_sets(track: Track) -> bytes:
    """Give a track's parameter sets as they stand in a frame; nothing if it has none."""
    form = track_format(track)
    if not isinstance(form, VideoFormat):
        return b""
    return b"".join(len(one).to_bytes(4, "big") + one for one in form.parameter_sets)
