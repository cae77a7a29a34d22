"""A Matroska file of recordings, whose every byte has its place before the first one is read.

::

    EBML header, Segment of known size
      SeekHead, Info, Tracks     as in a block (`axis_nvr.wire.matroska`)
      Tags                       recordings, camera, and a GAP for all that is missing
      Cues                       in front, so that players seek while it is downloaded
      Cluster, Cluster, …        those of the blocks, moved in time

What stands before the clusters follows from the index and from the fronts of the blocks alone, and
so does where each group of pictures comes to stand: the same bytes each time, and any range of them
without reading what is before it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from axis_nvr.services.export.content import Content, Placed, parameter_sets
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.gap_notes import GAP_TAG, gap_text
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.reading.moving import Piece, growths, move_group
from axis_nvr.wire.matroska import (
    Closing,
    CuePoint,
    Info,
    build_cues,
    build_front,
    build_tags,
    build_tracks,
)
from axis_nvr.wire.matroska_move import Move

#: The most cue points; of more groups every second has one, or every fourth and so on.
MAX_CUES = 100_000
#: The most gaps that are told.
MAX_GAPS = 10_000

#: Hears of what turned out to be broken: block, and what is wrong.
Complain = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a part comes to stand.

    :param position: of its first group, in the file.
    :param grown: by how much each group grows; empty: by nothing.
    """

    placed: Placed
    move: Move
    position: int
    grown: Sequence[int]

    def sizes(self) -> Iterator[int]:
        """Tell how long each group is in the file."""
        for at, group in enumerate(self.placed.part.groups):
            size = group.end - group.offset
            if self.grown:
                size += self.grown[at]
            if self.move.sets and group.starts_at_sync:
                size += len(self.move.sets)
            yield size


class MatroskaFile:
    """A file that is made while it is read.

    :param tags: name and text each, what is known about it.
    :param product: who makes it.
    :param complain: told what could not be read, and is Void in the file.
    :ivar size_bytes: how long it is, exactly.
    :ivar etag: another one for other bytes.
    :raises StorageError: a block cannot be read.
    """

    def __init__(
        self,
        files: IFiles,
        content: Content,
        product: str,
        tags: Sequence[tuple[str, str]] = (),
        complain: Complain = lambda block, problem: None,
    ) -> None:
        self._files = files
        self._content = content
        self._complain = complain
        self._slots: list[_Slot] = []
        length = 0
        for placed in content.placed:
            grown = () if placed.own else tuple(growths(files, placed.part))
            slot = _Slot(placed, _move(content, placed), length, grown)
            self._slots.append(slot)
            length += sum(slot.sizes())
        self._front = self._build_front(length, product, tags)
        self.size_bytes = len(self._front) + length
        self.etag = self._tag()

    def _build_front(self, length: int, product: str, tags: Sequence[tuple[str, str]]) -> bytes:
        content = self._content
        entries = [track.track for track in content.tracks]
        version = 4 if any(track.seek_pre_roll_ns for track in entries) else 2
        duration_ms = max(1.0, content.duration_us / 1000)
        info = Info(content.start_us, "axis_nvr", product, duration_ms)
        tracks_data = build_tracks(entries)
        tags_data = build_tags([*tags, *_gap_tags(content)])
        points = self._cue_points()
        cues_bytes = len(build_cues(points))
        known = build_front(info, version=version, closing=Closing(0, 0, 0))
        before_tags = len(known.data) - known.segment_start + len(tracks_data)
        before_cues = before_tags + len(tags_data)
        begin = before_cues + cues_bytes
        cues = build_cues([point._replace(position=point.position + begin) for point in points])
        closing = Closing(begin + length, before_cues, before_tags)
        front = build_front(info, version=version, closing=closing)
        return front.data + tracks_data + tags_data + cues

    def _cue_points(self) -> list[CuePoint]:
        """Give the points, positions counted from the first cluster."""
        groups = sum(len(placed.part.groups) for placed in self._content.placed)
        step = 1 << max(0, -(-groups // MAX_CUES) - 1).bit_length()
        return list(islice(self._all_points(), 0, None, step))

    def _all_points(self) -> Iterator[CuePoint]:
        for slot in self._slots:
            placed, position = slot.placed, slot.position
            number = placed.numbers[placed.part.head.main_track]
            for group, size in zip(placed.part.groups, slot.sizes(), strict=True):
                if group.starts_at_sync:
                    time_ms = max(0, group.time_ms + placed.shift_ms)
                    yield CuePoint(time_ms, number, position)
                position += size

    def _tag(self) -> str:
        digest = hashlib.sha256(self._front)
        for slot in self._slots:
            part = slot.placed.part
            told = (part.stretch.recording_id, part.stretch.block_id, part.offset, part.end)
            digest.update(repr((told, part.damaged, slot.move)).encode())
        return digest.hexdigest()[:32]

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[Piece]:
        """Give the file, or a range of it.

        :param start: the first byte.
        :param end: behind the last byte; None: to its end.
        """
        end = self.size_bytes if end is None else end
        if start < min(end, len(self._front)):
            yield self._front[start:end]
        for slot in self._slots:
            position = len(self._front) + slot.position
            for group, size in zip(slot.placed.part.groups, slot.sizes(), strict=True):
                if position >= end:
                    return
                if position + size > start:
                    part = slot.placed.part
                    moved = move_group(self._files, part, group, slot.move, size)
                    if moved.problem:
                        self._complain(part.stretch.block_id, moved.problem)
                    yield from _range(moved.pieces, start - position, end - position)
                position += size


def _range(pieces: Sequence[Piece], start: int, end: int) -> Iterator[Piece]:
    """Cut a row of pieces."""
    place = 0
    for piece in pieces:
        size = len(piece)
        if place < end and place + size > start:
            if start <= place and place + size <= end:
                yield piece
            else:
                yield memoryview(piece)[max(0, start - place) : end - place]
        place += size


def _move(content: Content, placed: Placed) -> Move:
    main = placed.part.head.main_track
    entry = next(track for track in placed.part.head.tracks if track.number == main)
    shared = content.tracks[placed.numbers[main] - 1]
    sets = parameter_sets(entry) if placed.own and shared.changes else b""
    numbers = {old: new for old, new in placed.numbers.items() if old != new}
    return Move(placed.shift_ms, numbers, main if sets else 0, sets)


def _gap_tags(content: Content) -> Iterator[tuple[str, str]]:
    for gap in content.gaps[:MAX_GAPS]:
        yield GAP_TAG, gap_text(gap)
    later_us = 0
    for placed in content.placed:
        if placed.later_us != later_us:
            later_us = placed.later_us
            times = utc_text(placed.part.times[0])
            yield "TIME_SHIFT", f"{times} is shown {later_us / 1e6:.6f} s later than it was"
