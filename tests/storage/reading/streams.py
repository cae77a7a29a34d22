"""Streams to be recorded and read back."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from axis_nvr.media.formats import h264_format, h265_format
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, AudioFormat, Codec, Gap, GapReason
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.cursor import Cursor
from axis_nvr.storage.reading.device_trail import DeviceTrail
from axis_nvr.storage.reading.gops import StoredGop
from axis_nvr.storage.reading.maps import MapCache
from axis_nvr.storage.reading.trail import RecordingTrail
from tests.media.test_formats import WYZE
from tests.media.test_parameter_sets import H265_SETS
from tests.storage.making import START_US, FailingFiles, gop_of, unit

H264 = h264_format(WYZE[:1], WYZE[1:])
H265 = h265_format(H265_SETS[:1], H265_SETS[1:2], H265_SETS[2:])
SOUND = AudioFormat(Codec.G726, b"", 8000, 1, 4)
OTHER_SOUND = AudioFormat(Codec.PCMU, b"", 8000, 1, 8)
SECOND = 1_000_000

#: In what order pictures are decoded, by when they are shown.
ORDERS = {1: [0], 2: [0, 1], 3: [0, 2, 1], 4: [0, 3, 1, 2], 5: [0, 2, 1, 4, 3]}


class UnsyncedIndex(sqlite3.Connection):
    """An index that is quick: a power cut would lose it."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous=FULL", "synchronous=OFF"), *values)


class UnsyncedFiles(FailingFiles):
    """The real disk, but quick: a power cut would lose everything."""

    def sync(self, fd: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass

    def connect(self, path: Path, *, read_only: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=UnsyncedIndex
        )
        connection.execute("PRAGMA synchronous=OFF")
        return connection


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is drawn of a group.

    :param pause_us: time without anything before it.
    :param step_us: from picture to picture.
    :param sounds: frames of sound that come with it, of each sound track.
    :param sound_tracks: 0 to 2.
    :param is_other: the camera changed to H.265.
    :param set_back_us: how far the clock was set back before it.
    :param parts: it comes in so many parts.
    """

    pictures: int = 3
    step_us: int = 40_000
    pause_us: int = 0
    sounds: int = 0
    sound_tracks: int = 1
    is_other: bool = False
    set_back_us: int = 0
    parts: int = 1


GROUPS = st.builds(
    Drawn,
    pictures=st.integers(1, 5),
    step_us=st.sampled_from([33_366, 40_000, 500_000]),
    pause_us=st.sampled_from([0, 0, 0, 0, 2 * SECOND, 6 * SECOND, 400 * SECOND]),
    sounds=st.sampled_from([0, 0, 3]),
    sound_tracks=st.integers(1, 2),
    is_other=st.sampled_from([False, False, False, True]),
    set_back_us=st.sampled_from([0] * 9 + [700 * SECOND]),
    parts=st.sampled_from([1, 1, 1, 2]),
)


def make_stream(drawn: Iterable[Drawn], start_us: int = START_US) -> list[Gop]:
    """Make groups of pictures that follow each other as drawn."""
    gops: list[Gop] = []
    now_us = start_us
    for number, one in enumerate(drawn):
        before_us = now_us
        now_us += one.pause_us - one.set_back_us
        gap = None
        if one.set_back_us:
            gap = Gap(before_us, now_us, GapReason.CLOCK_STEPPED)
        elif one.pause_us:
            gap = Gap(before_us, now_us, GapReason.DISCONNECTED, 3, "no route")
        units = _units(number, one, now_us, gap)
        end_us = now_us + one.pictures * one.step_us
        gops += _parts(units, one.parts, end_us, gap)
        now_us = end_us
    return gops


def _units(number: int, one: Drawn, now_us: int, gap: Gap | None) -> list[AccessUnit]:
    form = H265 if one.is_other else H264
    units = [
        unit(
            now_us + shown * one.step_us,
            sync=not at,
            data=b"\0\0\0\x0ec%d picture %d" % (number, at),
            form=form,
            gap=None if at else gap,
        )
        for at, shown in enumerate(ORDERS[one.pictures])
    ]
    for track, form_ in ((1, SOUND), (2, OTHER_SOUND))[: one.sound_tracks]:
        units += [
            unit(
                now_us + 7_000 + at * one.step_us // 2,
                track=track,
                sync=True,
                data=b"%d/%d/%d" % (number, track, at) * 4,
                form=form_,
            )
            for at in range(one.sounds)
        ]
    return units


def _parts(units: list[AccessUnit], parts: int, end_us: int, gap: Gap | None) -> list[Gop]:
    gaps = [] if gap is None else [gap]
    if parts == 1 or len(units) < 2:
        return [gop_of(units, end_us, gaps=gaps)]
    first: list[AccessUnit] = []
    second: list[AccessUnit] = []
    for track in tracks_of(units).values():  # none comes in the second part only
        half = (len(track) + 1) // 2
        first += track[:half]
        second += track[half:]
    if not second:
        return [gop_of(units, end_us, gaps=gaps)]
    middle_us = min(u.utc_us for u in second)
    return [
        gop_of(first, middle_us, gaps=gaps),
        gop_of(second, end_us, gaps=[], starts_at_sync=False),
    ]


def tracks_of(units: Iterable[AccessUnit]) -> dict[int, list[AccessUnit]]:
    """Units by track, each in its order."""
    tracks: defaultdict[int, list[AccessUnit]] = defaultdict(list)
    for one in units:
        tracks[one.track].append(one)
    return dict(tracks)


class Readings:
    """What reads a disk in a test."""

    def __init__(self, folder: Path, files: IFiles | None = None) -> None:
        self.files: Any = Files() if files is None else files
        self.index = Index.open_read_only(self.files, folder / "index.db")
        self.maps = MapCache(self.files, folder)

    def recording(self, recording_id: str) -> Cursor:
        """A cursor over one recording."""
        return self._cursor(RecordingTrail(lambda: self.index, recording_id))

    def device(self, device: str = "front") -> Cursor:
        """A cursor over all of a device."""
        return self._cursor(DeviceTrail(lambda: self.index, device))

    def _cursor(self, trail: Any) -> Cursor:
        return Cursor(self.files, lambda: self.index, trail, self.maps)

    def close(self) -> None:
        self.index.close()


def forward(cursor: Cursor, at_most: int = 10_000) -> list[StoredGop]:
    """All groups up to an edge."""
    found: list[StoredGop] = []
    while len(found) < at_most and isinstance(gop := cursor.next_gop(), StoredGop):
        found.append(gop)
    return found


def backward(cursor: Cursor, at_most: int = 10_000) -> list[StoredGop]:
    """All groups back to the beginning."""
    found: list[StoredGop] = []
    while len(found) < at_most and isinstance(gop := cursor.previous_gop(), StoredGop):
        found.append(gop)
    return found


def units_of(gops: Sequence[StoredGop]) -> list[AccessUnit]:
    """The units of groups, those that are to be shown."""
    return [one for gop in gops for one in gop.units if gop.is_fresh(one)]
