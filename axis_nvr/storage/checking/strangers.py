"""Finding what lies on a disk and is not in its index: recordings, blocks, and leftovers.

A recorder that runs makes a file before its row, and removes a row before its file. So what is
found is looked for a second time, after a while, before it is told.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from axis_nvr.storage.checking.findings import Finding, FindingKind
from axis_nvr.storage.files import IFiles, is_temporary
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import (
    is_block_id,
    is_block_path,
    is_day_folder,
    is_hour_folder,
    is_recording_id,
)

#: Time between the first look and the second, in seconds.
SECOND_LOOK_SECONDS = 10.0
#: Strangers that wait together for their second look.
MAX_WAITING = 1000


def check_strangers(
    files: IFiles, folder: Path, index: Index, wait: Callable[[float], None]
) -> Iterator[Finding]:
    """Find what the index does not know.

    :param wait: lets so many seconds go by.
    """
    look = StrangerLook(files, index)
    waiting: list[tuple[Path, Finding]] = []
    for found in look.over(folder):
        waiting.append(found)
        if len(waiting) >= MAX_WAITING:
            yield from look.again(waiting, wait)
            waiting = []
    yield from look.again(waiting, wait)
    yield from look.take_unreadable()


class StrangerLook:
    """Looks for strangers."""

    def __init__(self, files: IFiles, index: Index) -> None:
        self._files = files
        self._index = index
        self._unreadable: list[Finding] = []

    def over(self, folder: Path) -> Iterator[tuple[Path, Finding]]:
        """Go through a disk's folder; give what seems to be strange, and where it is."""
        for recording in self._recording_folders(folder):
            if self._is_unknown(recording.name):
                yield (
                    recording,
                    Finding(FindingKind.NOT_INDEXED, recording.name, "", "not in the index"),
                )
            else:
                yield from self._in_recording(recording)

    def take_unreadable(self) -> list[Finding]:
        """Give the folders that could not be looked into."""
        unreadable, self._unreadable = self._unreadable, []
        return unreadable

    def _recording_folders(self, folder: Path) -> Iterator[Path]:
        for day in filter(is_day_folder, self._children(folder)):
            for hour in filter(is_hour_folder, self._children(folder / day)):
                for name in filter(is_recording_id, self._children(folder / day / hour)):
                    yield folder / day / hour / name

    def _children(self, folder: Path) -> list[str]:
        """Name what is in a folder; nothing if it is none, or gone."""
        try:
            return self._files.list_folder(folder)
        except (NotADirectoryError, FileNotFoundError):
            return []
        except OSError as error:
            recording_id = next((part for part in folder.parts[::-1] if is_recording_id(part)), "")
            message = f"{folder}: {error.strerror or error}"
            finding = Finding(FindingKind.UNREADABLE, recording_id, "", message)
            self._unreadable.append(finding)
            return []

    def _in_recording(self, recording: Path) -> Iterator[tuple[Path, Finding]]:
        for name in self._children(recording):
            if is_block_path(name):
                yield from self._in_block_folder(recording, recording / name)
            elif is_temporary(name):
                yield recording / name, _leftover(recording.name, "", name)

    def _in_block_folder(self, recording: Path, folder: Path) -> Iterator[tuple[Path, Finding]]:
        names = self._children(folder)
        media = {name for name in names if name.endswith(".mkv")}
        for name in names:
            path = folder / name
            block_id = path.stem if is_block_id(path.stem) else ""
            if is_temporary(name):
                yield path, _leftover(recording.name, "", name)
            elif name in media and block_id:
                if self._is_unknown(block_id):
                    message = "not in the index"
                    yield (
                        path,
                        Finding(FindingKind.NOT_INDEXED, recording.name, block_id, message),
                    )
            elif self._is_alone(path, block_id, media):
                yield path, _leftover(recording.name, block_id, name)

    def _is_alone(self, path: Path, block_id: str, media: set[str]) -> bool:
        """Tell whether a file is the XML of a block that neither folder nor index has."""
        is_xml = path.suffix == ".xml" and block_id and f"{block_id}.mkv" not in media
        return bool(is_xml) and self._is_unknown(block_id)

    def again(
        self, waiting: list[tuple[Path, Finding]], wait: Callable[[float], None]
    ) -> Iterator[Finding]:
        """Look at them a second time, and tell those that are still strange."""
        if not waiting:
            return
        wait(SECOND_LOOK_SECONDS)
        for path, finding in waiting:
            is_known = finding.kind is FindingKind.NOT_INDEXED and not self._is_unknown(
                finding.block_id or finding.recording_id
            )
            has_media = finding.block_id and self._files.exists(path.with_suffix(".mkv"))
            is_whole = finding.kind is FindingKind.LEFTOVER and has_media
            if not is_known and not is_whole and self._files.exists(path):
                yield finding

    def _is_unknown(self, name: str) -> bool:
        """Tell whether nothing in the index has a name, not even what is about to be removed."""
        return not self._index.name_taken(name)


def _leftover(recording_id: str, block_id: str, name: str) -> Finding:
    message = f"{name} is left over" + (": its block is not there" if block_id else "")
    return Finding(FindingKind.LEFTOVER, recording_id, block_id, message)
