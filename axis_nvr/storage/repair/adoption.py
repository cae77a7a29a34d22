"""Taking in a recording, or blocks of one, that are on the disk and not in the index.

The files of one recording are gone through in small slices: some are read, then one transaction
adds their rows, so that neither memory nor the writer suffers however many there are. What the
index has already is passed over; so adoption may stop anywhere and be begun again.

A block whose XML says that it is complete is believed, and not written to. Any other is finished
first (`axis_nvr.storage.repair.block`). What a stop left of a block's very first write, and XML and
folders without media, go. Anything else that is not understood is left as it is, and told.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import NamedTuple

from twisted.logger import Logger

from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.storage.files import Entry, EntryKind, IFiles, is_temporary, storage_errors
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.layout import (
    RECORDING_XML,
    block_path,
    is_block_id,
    is_block_path,
)
from axis_nvr.storage.locks import adopt_locks
from axis_nvr.storage.repair.block import FinishedBlock, Wanted, finish_block
from axis_nvr.storage.repair.conclude import remove_leftovers
from axis_nvr.storage.repair.front import read_front
from axis_nvr.storage.repair.glance import glance
from axis_nvr.storage.repair.papers import (
    complete_block_xml,
    is_of_camera,
    keep_names,
    read_block_xml,
    read_recording_xml,
    row_of_xml,
    write_recording_xml,
    xml_of_tracks,
)
from axis_nvr.storage.repair.rows import add_closed_block, add_new_gaps, recording_state
from axis_nvr.storage.repair.survey import DOUBTFUL_BYTES, Unclear
from axis_nvr.storage.xml import BlockStatus, RecordingXml
from axis_nvr.wire.matroska import Track

#: Files looked at in one slice.
SLICE_FILES = 100


class Adopted(NamedTuple):
    """What came of an adoption.

    :ivar left: files that are not understood, or whose name is another's; they stay as they are.
    :ivar removed: files that held nothing.
    """

    blocks: int = 0
    left: int = 0
    removed: int = 0
    cut_bytes: int = 0


class Adoption:
    """Takes in what the index does not know of one recording that nobody writes to.

    :param folder: the recording's.
    :param since: blocks of earlier hours, ``YYYYMMDD_HH``, are not looked for.
    :ivar adopted: what came of it so far.
    """

    log = Logger()

    def __init__(
        self,
        premises: Premises,
        folder: Path,
        *,
        since: str = "",
        slice_files: int = SLICE_FILES,
    ) -> None:
        self.adopted = Adopted()
        self._premises = premises
        self._files: IFiles = premises.files
        self._folder = folder
        self._recording_id = folder.name
        self._since = since
        self._slice_files = slice_files
        self._is_known = recording_state(premises.index, folder.name) is not None
        self._waiting: list[tuple[str, FinishedBlock]] = []

    def steps(self) -> Iterator[None]:
        """Do a slice with each step.

        :raises StorageError: the disk does not let us; begin again with another adoption.
        """
        looked = 0
        for folder in self._block_folders(self._since):
            for entry in entries(self._files, folder):
                self._look_at(folder, entry)
                looked += 1
                if looked % self._slice_files == 0:
                    self._tell_index()
                    yield
            self._tidy(folder)
        self._tell_index()
        self._remove_temporaries(self._folder)
        if not self._is_known and not any(self._block_folders("")):
            remove_leftovers(self._files, self._folder, [RECORDING_XML])

    def _block_folders(self, since: str) -> Iterator[Path]:
        for name, kind in entries(self._files, self._folder):
            if kind is EntryKind.FOLDER and is_block_path(name) and name >= since:
                yield self._folder / name

    def _look_at(self, folder: Path, entry: Entry) -> None:
        path = folder / entry.name
        if path.suffix != ".mkv" or entry.kind is not EntryKind.FILE:
            return
        if not is_block_id(path.stem) or block_path(path.stem) != folder.name:
            self._leave(path, "its name is none of a block in this folder")
        elif not self._premises.index.name_taken(path.stem):
            self._adopt(path)

    def _adopt(self, path: Path) -> None:
        try:
            done = self._read(path)
        except Unclear as error:
            if self._is_nothing(path):
                with storage_errors(path, "remove"):
                    self._files.remove(path)
                self._count(removed=1)
                remove_leftovers(self._files, path.parent, [path.with_suffix(".xml").name])
            else:
                self._leave(path, str(error))
            return
        except StorageError as error:
            if error.kind is not StorageErrorKind.ABSENT:
                raise
            return  # it has just gone
        self._waiting.append((path.stem, done))
        self._count(cut_bytes=done.cut_bytes)

    def _read(self, path: Path) -> FinishedBlock:
        """Read what is needed of a block; finish it if it is not whole."""
        xml = read_block_xml(self._files, path)
        start_us = None if xml is None else xml.start_us
        is_complete = xml is not None and xml.status is BlockStatus.COMPLETE
        stop_us = None if xml is None else xml.stop_us
        if is_complete and start_us is not None and stop_us is not None and start_us <= stop_us:
            size_bytes, gaps = glance(self._files, path)
            return FinishedBlock(start_us, stop_us, size_bytes, gaps, was_whole=True)
        done = finish_block(self._files, path, Wanted(start_us, is_unclean=not is_complete))
        if not done.start_us:
            started_us = start_of_name(path.stem, self._premises.zone)
            moved_us = started_us - done.start_us
            done = replace(done, start_us=started_us, stop_us=done.stop_us + moved_us)
        span = (done.start_us, done.stop_us)
        complete_block_xml(self._files, path, self._recording_id, span)
        return done

    def _is_nothing(self, path: Path) -> bool:
        """Tell whether a file that is not understood was still on its way to the disk.

        We put a block's XML beside it after its first sync, and acknowledge nothing before. Of a
        camera's files that is not known.
        """
        has_xml = self._files.exists(path.with_suffix(".xml"))
        if has_xml or is_of_camera(self._files, self._folder):
            return False
        with storage_errors(path, "open a block"):
            fd = self._files.open_read(path)
            try:
                return self._files.size(fd) <= DOUBTFUL_BYTES
            finally:
                self._files.close(fd)

    def _remove_temporaries(self, folder: Path) -> list[str]:
        """Remove what was to take another file's place; name what else is there."""
        found = [name for name, _ in entries(self._files, folder)]
        temporary = [name for name in found if is_temporary(name)]
        if temporary:
            for name in temporary:
                with suppress(OSError):
                    self._files.remove(folder / name)
            with storage_errors(folder, "sync a folder"):
                self._files.sync_folder(folder)
        return [name for name in found if name not in temporary]

    def _tidy(self, folder: Path) -> None:
        """Remove what a stop left of a folder's first block: XML without media, then the folder."""
        found = self._remove_temporaries(folder)
        media = {Path(name).stem for name in found if name.endswith(".mkv")}
        lonely = [
            path.name
            for path in map(Path, found)
            if is_block_id(path.stem) and path.suffix == ".xml" and path.stem not in media
        ]
        if lonely or not found:
            remove_leftovers(self._files, folder, lonely)

    def _tell_index(self) -> None:
        """Add what was read, in one small transaction."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        xml = None if self._is_known else self._recording_xml(*waiting[0])
        folders = {block_path(block_id) for block_id, _ in waiting}
        for folder in ("", *folders) if xml is not None else folders:
            keep_names(self._files, self._folder / folder)
        index, recording_id = self._premises.index, self._recording_id
        with index.transaction():
            if xml is not None:
                index.add_recording(replace(row_of_xml(xml), stop_us=None))
                adopt_locks(self._files, self._premises.folder, index, recording_id)
            for block_id, done in waiting:
                add_closed_block(index, recording_id, block_id, done)
                add_new_gaps(index, recording_id, done.gaps)
        self._is_known = True
        self._count(blocks=len(waiting))

    def _recording_xml(self, block_id: str, done: FinishedBlock) -> RecordingXml:
        """Give the recording's XML, which is made if there is none that can be read."""
        xml = read_recording_xml(self._files, self._folder)
        if xml is not None:
            return replace(xml, recording_id=self._recording_id)
        path = self._folder / block_path(block_id) / f"{block_id}.mkv"
        tracks = read_tracks(self._files, path)
        xml = xml_of_tracks(self._recording_id, done.start_us, tracks)
        if not self._files.exists(self._folder / RECORDING_XML):
            write_recording_xml(self._files, self._folder, xml)
        return xml

    def _leave(self, path: Path, why: str) -> None:
        self._count(left=1)
        self.log.warn(
            "{path} is left as it is, and out of the index: {why}", path=str(path), why=why
        )

    def _count(
        self, *, blocks: int = 0, left: int = 0, removed: int = 0, cut_bytes: int = 0
    ) -> None:
        more = Adopted(blocks, left, removed, cut_bytes)
        self.adopted = Adopted(*(a + b for a, b in zip(self.adopted, more, strict=True)))


def read_tracks(files: IFiles, path: Path) -> tuple[Track, ...]:
    """Give a block's tracks; none if they cannot be read."""
    with storage_errors(path, "read a block"):
        fd = files.open_read(path)
        try:
            return read_front(lambda size, at: files.pread(fd, size, at), files.size(fd)).tracks
        except WireError:
            return ()
        finally:
            files.close(fd)


def entries(files: IFiles, folder: Path) -> Iterable[Entry]:
    """Give what is in a folder; nothing if it has gone, or is none."""
    try:
        return files.entries(folder)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        with storage_errors(folder, "look into a folder"):
            raise error


def start_of_name(block_id: str, zone: tzinfo | None) -> int:
    """Give the time that a block's name tells, to the second: UTC, microseconds since 1970."""
    try:
        local = datetime.strptime(block_id[:15], "%Y%m%d_%H%M%S")  # noqa: DTZ007 - see below
        aware = local.astimezone() if zone is None else local.replace(tzinfo=zone)
        return int(aware.astimezone(UTC).timestamp()) * 1_000_000
    except (ValueError, OverflowError):
        return 0
