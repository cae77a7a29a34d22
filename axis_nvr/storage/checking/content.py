"""Checking a block's file: its front, every cluster, its Cues and Tags.

What we write carries a CRC-32 in each part, and what stands in front of Tracks can be made again
from what the file says, so that no bit of a block can change unseen. What other recorders wrote is
held to as much as it has.

Damage to clusters is told as a loss, from when to when: from the damaged cluster's time, which Cues
know, to the next whole one's.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from axis_nvr.errors import StorageError, WireError
from axis_nvr.storage.block_reader import BlockReader, Span
from axis_nvr.storage.checking.elements import ElementWalk, Hole
from axis_nvr.storage.checking.findings import Finding, FindingKind, Looked, Loss
from axis_nvr.storage.index import BlockRow
from axis_nvr.storage.layout import utc_text
from axis_nvr.wire.ebml import encode_id
from axis_nvr.wire.matroska import Closing, CuePoint, Info, build_front
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_reader import Cluster, check_crc, parse_cues, parse_tags

#: How far frames may be behind the stop time: sound may go on a little behind the last picture.
MAX_BEHIND_STOP_MS = 5_000
#: What our blocks name as the library that wrote them.
OUR_MUXER = "axis_nvr"
_TRACKS = encode_id(Id.TRACKS)


class _Damage(NamedTuple):
    """A damaged part whose end in time is not known yet."""

    kind: FindingKind
    offset: int
    end: int
    start_ms: int
    message: str


class ContentCheck:
    """Checks the file of one block.

    :param row: what the index says of it.
    """

    def __init__(self, block: BlockReader, row: BlockRow) -> None:
        self._block = block
        self._row = row
        self._is_whole = row.stop_us is not None and row.unfinished is None
        self._is_ours = block.info is not None and block.info.muxing_app == OUR_MUXER
        self._last_ms = 0
        self._cue_times: Mapping[int, int] = {}
        self._pending: list[_Damage] = []
        self._stop_ms: int | None = None
        if row.stop_us is not None:
            self._stop_ms = max(0, (row.stop_us - row.start_us) // 1000)

    def outline(self) -> Iterator[Finding]:
        """Check what can be told without reading the clusters."""
        block, row = self._block, self._row
        if block.info is None or not block.tracks:
            message = "no Info or no Tracks before the first cluster"
            yield self._finding(FindingKind.FRONT_DAMAGED, message, whole_loss(row))
            return
        if block.info.date_us and abs(block.info.date_us - row.start_us) >= 1000:
            message = f"DateUTC is {utc_text(block.info.date_us)}, not the start time"
            yield self._finding(FindingKind.TIME_DIFFERS, message)
        if not self._is_whole:
            if row.unfinished and block.size_bytes < row.unfinished:
                message = f"{block.size_bytes} bytes long, {row.unfinished} were good"
                yield self._finding(FindingKind.SIZE_DIFFERS, message)
            return
        if block.size_bytes != row.size_bytes:
            message = f"{block.size_bytes} bytes long, {row.size_bytes} in the index"
            yield self._finding(FindingKind.SIZE_DIFFERS, message)
        if block.segment_end is None or block.info.duration_ms is None:
            yield self._finding(FindingKind.UNFINISHED, "its file is not closed")
        elif block.segment_end != block.size_bytes:
            message = f"its Segment ends at byte {block.segment_end}, not {block.size_bytes}"
            yield self._finding(FindingKind.FRONT_DAMAGED, message)

    def media(self) -> Iterator[Finding | Looked]:
        """Check clusters, Cues and Tags, reading all of them."""
        if self._block.info is None or not self._block.tracks:
            return
        try:
            elements = list(ElementWalk(self._block, self._media_end(), is_ours=self._is_ours))
        except StorageError as error:  # where its elements are cannot be found out
            message = error.message
            yield self._finding(FindingKind.UNREADABLE, message, whole_loss(self._row))
            return
        spans = [element for element in elements if isinstance(element, Span)]
        if self._is_whole and self._block.segment_end is not None:
            yield from self._check_front(spans)
            yield from self._check_ends(spans)
        for element in elements:
            if isinstance(element, Hole):
                self._meet_hole(element)
            elif element.id == Id.CLUSTER:
                yield from self._check_cluster(element)
                yield Looked(size_bytes=element.end - element.offset)
        if not any(span.id == Id.CLUSTER for span in spans) and not self._pending:
            loss = whole_loss(self._row)
            yield self._finding(FindingKind.CLUSTER_DAMAGED, "no cluster", loss)
        end_ms = self._last_ms if self._stop_ms is None else self._stop_ms
        yield from self._tell_damage(end_ms)

    def _finding(self, kind: FindingKind, message: str, loss: Loss | None = None) -> Finding:
        return Finding(kind, self._row.recording_id, self._row.block_id, message, loss)

    def _media_end(self) -> int:
        block = self._block
        if self._row.unfinished and self._row.unfinished > 0:  # else nobody has measured it
            return min(self._row.unfinished, block.size_bytes)
        if self._is_ours or block.segment_end is None:
            return block.size_bytes
        return min(block.segment_end, block.size_bytes)

    def _check_front(self, spans: list[Span]) -> Iterator[Finding]:
        """Hold what stands before Tracks to what it must be; other recorders' is not known.

        What is in front has room that no CRC-32 covers: the EBML header, and sizes.
        """
        block = self._block
        expected = front_of(block, spans)
        if expected is None:
            return
        found = block.read_at(len(expected), 0)
        for at, (wanted, byte) in enumerate(zip(expected, found, strict=False)):
            if wanted != byte:
                message = f"byte {at}, before Tracks, is {byte:#04x} where {wanted:#04x} belongs"
                yield self._finding(FindingKind.FRONT_DAMAGED, message)
                return
        tracks = block.read_at(block.first_cluster - len(expected), len(expected))
        if not tracks.startswith(_TRACKS) or check_crc(tracks[len(_TRACKS) + 8 :]) is None:
            yield self._finding(FindingKind.FRONT_DAMAGED, "Tracks carry no CRC-32")

    def _check_ends(self, spans: list[Span]) -> Iterator[Finding]:
        """Check Cues and Tags."""
        offsets = {s.offset - self._block.segment_start for s in spans if s.id == Id.CLUSTER}
        ends = {span.id: span for span in spans}
        cues: list[CuePoint] | None = None
        try:
            if Id.CUES in ends:
                cues = parse_cues(self._read_checked(ends[Id.CUES]))
                self._cue_times = {cue.position: cue.time_ms for cue in cues}
        except (WireError, StorageError) as error:
            yield self._finding(FindingKind.CUES_DAMAGED, str(error))
        else:
            if cues is None:
                yield self._finding(FindingKind.CUES_DAMAGED, "no Cues")
            elif any(cue.position not in offsets for cue in cues):
                yield self._finding(FindingKind.CUES_DAMAGED, "Cues that point at no cluster")
        try:
            if Id.TAGS in ends:
                parse_tags(self._read_checked(ends[Id.TAGS]))
        except (WireError, StorageError) as error:
            yield self._finding(FindingKind.TAGS_DAMAGED, str(error))

    def _read_checked(self, span: Span) -> bytes:
        data = self._block.read_checked(span)
        if self._is_ours and check_crc(data) is None:
            raise WireError("it carries no CRC-32", offset=span.offset)
        return data

    def _check_cluster(self, span: Span) -> Iterator[Finding]:
        place = f"the cluster at byte {span.offset}"
        try:
            cluster = self._block.read_cluster(span)
        except WireError as error:
            self._note(FindingKind.CLUSTER_DAMAGED, span, f"{place}: {error}")
            return
        except StorageError as error:
            self._note(FindingKind.UNREADABLE, span, f"{place}: {error.message}")
            return
        if cluster.checked is not True and (self._is_ours or cluster.checked is False):
            words = "does not match" if cluster.checked is False else "has lost"
            self._note(FindingKind.CLUSTER_DAMAGED, span, f"{place} {words} its CRC-32")
            return
        yield from self._tell_damage(cluster.timestamp_ms)
        for message in self._time_faults(cluster):
            yield self._finding(FindingKind.TIME_DISORDER, f"{place} {message}")
        numbers = {track.number for track in self._block.tracks}
        if any(frame.track not in numbers for frame in cluster.frames):
            message = f"{place} has frames of a track that is not declared"
            yield self._finding(FindingKind.CLUSTER_DAMAGED, message)
        self._last_ms = max((frame.time_ms for frame in cluster.frames), default=self._last_ms)

    def _time_faults(self, cluster: Cluster) -> Iterator[str]:
        times = [frame.time_ms for frame in cluster.frames] or [cluster.timestamp_ms]
        if min(times) < 0:
            yield "has frames before the block's start"
        if max(times) < self._last_ms:
            yield "is earlier than what stands before it"
        if self._is_whole and max(times) > (self._stop_ms or 0) + MAX_BEHIND_STOP_MS:
            yield "has frames behind the block's stop time"

    def _meet_hole(self, hole: Hole) -> None:
        """Take bytes that are no elements for damage, unless they may still become some."""
        if hole.is_tail and not self._is_whole:
            return
        size = hole.end - hole.offset
        message = f"{size} bytes at byte {hole.offset} are no whole element"
        span = Span(0, hole.offset, hole.offset, hole.end)
        self._note(FindingKind.CLUSTER_DAMAGED, span, message)

    def _note(self, kind: FindingKind, span: Span, message: str) -> None:
        position = span.offset - self._block.segment_start
        start_ms = self._cue_times.get(position, self._last_ms)
        self._pending.append(_Damage(kind, span.offset, span.end, start_ms, message))

    def _tell_damage(self, end_ms: int) -> Iterator[Finding]:
        """Tell the damage met so far, now that it is known when pictures are whole again."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        ends = [damage.start_ms for damage in pending[1:]] + [end_ms]
        for damage, until_ms in zip(pending, ends, strict=True):
            start_us = self._row.start_us + damage.start_ms * 1000
            end_us = self._row.start_us + max(until_ms, damage.start_ms) * 1000
            loss = Loss(start_us, end_us, damage.offset, damage.end - damage.offset)
            yield self._finding(damage.kind, damage.message, loss)


def whole_loss(row: BlockRow) -> Loss:
    """Give the loss of a whole block."""
    stop_us = row.start_us if row.stop_us is None else row.stop_us
    return Loss(row.start_us, max(row.start_us, stop_us), 0, row.size_bytes)


def front_of(block: BlockReader, spans: Iterable[Span], info: Info | None = None) -> bytes | None:
    """Give what must stand before Tracks in a closed block of ours; None if that is not known.

    :param spans: its elements.
    :param info: what is known of it, if not what it says itself.
    """
    info = info or block.info
    if info is None or info.muxing_app != OUR_MUXER or info.duration_ms is None:
        return None
    places = {span.id: span.offset - block.segment_start for span in spans}
    if Id.CUES not in places:
        return None
    end = block.size_bytes - block.segment_start
    closing = Closing(end, places[Id.CUES], places.get(Id.TAGS))
    version = 4 if any(track.seek_pre_roll_ns for track in block.tracks) else 2
    return build_front(info, version=version, closing=closing).data
