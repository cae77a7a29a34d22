"""What is told of a recording once its bytes are durable: in its XML, and to the index.

The XML is written at once, each file whole or not at all. What the index is to know is laid out and
told by others (`axis_nvr.storage.index_teller`): a block that begins, one that ends, one that was
lost, and what is missing.

A recording is told of with its first block that is durable; one that never had any leaves nothing.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from axis_nvr.errors import StorageError
from axis_nvr.media.units import Gap
from axis_nvr.storage.block import BlockWriter
from axis_nvr.storage.cutting import BlockState
from axis_nvr.storage.files import storage_errors
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import IndexNews, IndexWrite
from axis_nvr.storage.layout import RECORDING_XML
from axis_nvr.storage.papers import Papers, RecordingDetails
from axis_nvr.storage.place import Place
from axis_nvr.storage.stream_tracks import StreamTracks
from axis_nvr.storage.vanished import drop_vanished, end_recording, ensure_recording, is_gone
from axis_nvr.storage.xml import BlockStatus, BlockXml


@dataclass(slots=True, eq=False, kw_only=True)
class OpenBlock(BlockState):
    """A block being written, or closed in the batch that runs.

    :ivar good_stop_us: where its durable part ends.
    :ivar hour: the earliest in whose folder it is looked for.
    :ivar can_wait: it is found there, should the index not know it.
    :ivar is_announced: it has its XML.
    :ivar is_finished: nothing more is written to it.
    """

    block_id: str
    writer: BlockWriter
    streams: StreamTracks
    hour: str
    can_wait: bool
    good_stop_us: int = 0
    is_announced: bool = False
    is_finished: bool = False


class Chronicle:
    """Tells of one recording; safe for threads are only `has_begun` and `note_gaps`.

    :ivar folder: the recording's.
    :ivar index_writes: what the index does not know yet of what is durable.
    """

    def __init__(self, place: Place, recording_id: str, details: RecordingDetails) -> None:
        self.index_writes = IndexNews()
        self._recording_id = recording_id
        self._place = place
        self._papers = Papers(place, recording_id, details)
        self.folder = self._papers.folder
        self._streams: StreamTracks | None = None
        self._start_us = self._stop_us = 0

    @property
    def has_begun(self) -> bool:
        """Whether a block of it was durable."""
        return self._streams is not None

    def begin_block(self, block: OpenBlock, now: float) -> None:
        """Put the XML of a new block, and of a new recording, in place.

        :raises StorageError: it is not there, or its name is not durable.
        """
        before = self._streams
        streams = block.streams if before is None else before.joined(block.streams)
        begins = before is None or block.start_us < self._start_us  # a clock set back
        if begins:
            self._start_us = block.start_us
        is_known = before is None or self._papers.has_recording_xml()
        if begins or before != streams or not is_known:
            self._papers.write_recording(streams, self._start_us, None)
        if not block.is_finished:
            self._write_block_xml(block, BlockStatus.RECORDING)
        else:
            with storage_errors(block.writer.path.parent, "sync a folder"):
                self._place.files.sync_folder(block.writer.path.parent)
        row = self._papers.row(streams, self._start_us)
        recording_id, block_id, start_us = self._recording_id, block.block_id, block.start_us
        writes: list[IndexWrite] = [partial(ensure_recording, row=row)]
        if before not in (None, streams):
            media = partial(Index.set_media, video=row.video, audio=row.audio)
            writes.append(partial(media, recording_id=recording_id))
        add = partial(Index.add_block, recording_id=recording_id, block_id=block_id)
        writes.append(partial(add, start_us=start_us))
        self.index_writes.add(
            now,
            *writes,
            can_wait=block.can_wait and is_known and before in (None, streams),
            hour=block.hour,
            is_of_recording=begins,
        )
        self._streams = streams
        block.is_announced = True

    def end_block(self, block: OpenBlock, now: float) -> None:
        """Tell that a block whose bytes are durable is whole.

        :raises StorageError: its XML does not say so durably.
        """
        self._write_block_xml(block, BlockStatus.COMPLETE)
        self._stop_us = max(self._stop_us, block.stop_us)
        close = partial(
            Index.close_block,
            block_id=block.block_id,
            stop_us=block.stop_us,
            size_bytes=block.writer.good_bytes,
        )
        self.index_writes.add(now, close, can_wait=True)

    def lose_block(self, block: OpenBlock, why: str, now: float) -> None:
        """Note what repair has to do with a block that was given up where it was last good."""
        if not block.is_announced:  # nobody knows of it
            self._remove(block.writer.path.with_suffix(".xml"))
            self._place.forget_folder(block.writer.path.parent)
            return
        if is_gone(self._place.files, block.writer.path):
            self._forget_vanished(now)
            return
        good_bytes, stop_us = block.writer.good_bytes, block.good_stop_us
        self._stop_us = max(self._stop_us, stop_us)
        block_id = block.block_id
        self.index_writes.add(
            now,
            partial(Index.close_block, block_id=block_id, stop_us=stop_us, size_bytes=good_bytes),
            partial(Index.mark_unfinished, block_id=block_id, good_bytes=good_bytes, reason=why),
        )

    def _forget_vanished(self, now: float) -> None:
        """Have the index forget blocks whose files somebody removed, unless the disk is gone."""
        with suppress(StorageError):
            self._place.check_present()
            drop = partial(drop_vanished, files=self._place.files, folder=self.folder)
            self.index_writes.add(now, partial(drop, recording_id=self._recording_id))

    def end_recording(self, now: float) -> None:
        """Tell that the recording has ended; one that never began leaves nothing.

        :raises StorageError: its XML does not say so durably.
        """
        if self._streams is None:
            self._remove(self.folder / RECORDING_XML)
            self._place.forget_folder(self.folder)
            return
        end = partial(end_recording, recording_id=self._recording_id, stop_us=self._stop_us)
        self.index_writes.add(now, end, can_wait=True, is_of_recording=True)
        if self._papers.has_recording_xml():
            self._papers.write_recording(self._streams, self._start_us, self._stop_us)

    def note_gaps(self, gaps: Sequence[Gap], now: float) -> None:
        """Have the index told what is missing from a recording that has begun."""
        add = partial(Index.add_gaps, recording_id=self._recording_id, gaps=gaps)
        self.index_writes.add(now, add)

    def _write_block_xml(self, block: OpenBlock, status: BlockStatus) -> None:
        is_whole = status is BlockStatus.COMPLETE
        stop_us = block.stop_us if is_whole else None
        xml = BlockXml(block.block_id, self._recording_id, block.start_us, stop_us, status)
        self._papers.write_block(xml, block.writer.path)

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            self._place.files.remove(path)
