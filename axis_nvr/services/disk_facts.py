"""What is to be seen of a disk's folder: room, file system, whether a disk is there at all.

It is looked at in a thread, as a disk that hangs would hold up whoever looks; then what was seen
last is told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.services.disk_jobs import InThread
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME
from axis_nvr.storage.once import Once

#: A look that takes longer is not waited for, in seconds.
LOOK_SECONDS = 3.0
MOUNTS = Path("/proc/self/mountinfo")

#: File systems by the name that the VAPIX API has for them; all others are told as ``ext4``.
_NAMES = {
    "vfat": "vfat",
    "msdos": "vfat",
    "exfat": "vfat",
    "cifs": "cifs",
    "smb3": "cifs",
    "smbfs": "cifs",
}
OTHER_FILE_SYSTEM = "ext4"


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """What was seen.

    :param is_there: a disk is there: the folder was used by a recorder.
    :param file_system: ``ext4``, ``vfat`` or ``cifs``; empty: it is not known.
    """

    is_there: bool = False
    total_bytes: int = 0
    free_bytes: int = 0
    file_system: str = ""


def file_system_of(folder: Path, mounts: Path = MOUNTS) -> str:
    """Name the file system of a folder as the VAPIX API does.

    A line of the table: ``36 35 0:31 /root /mount-point options - type source options``.

    :raises OSError: the table or the folder cannot be read.
    """
    path, best, found = folder.resolve(), -1, ""
    for line in mounts.read_text("utf-8", "replace").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.partition(" ")[0]
        if len(fields) < 5:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if len(point.parts) >= best and path.is_relative_to(point):
            best, found = len(point.parts), kind
    return _NAMES.get(found, OTHER_FILE_SYSTEM)


def look(folder: Path, files: IFiles, mounts: Path = MOUNTS) -> DiskFacts:
    """Look at a disk's folder; raises nothing that a disk can do."""
    try:
        if not any(files.exists(folder / name) for name in (LOCK_NAME, INDEX_NAME)):
            return DiskFacts()
        space = files.space(folder)
        return DiskFacts(True, space.total_bytes, space.free_bytes, file_system_of(folder, mounts))
    except OSError:
        return DiskFacts()


class FactFinder:
    """Looks at one folder for whoever asks; one look at a time.

    :param see: looks; called in a thread.
    """

    log = Logger()

    def __init__(
        self,
        folder: Path,
        in_thread: InThread,
        clock: IReactorTime,
        see: Callable[[Path, IFiles], DiskFacts] = look,
    ) -> None:
        self._folder = folder
        self._in_thread = in_thread
        self._clock = clock
        self._see = see
        self._last = DiskFacts()
        self._looking: Once | None = None

    def find(self) -> "Deferred[DiskFacts]":
        """Give what is seen now; what was seen last if that takes longer than `LOOK_SECONDS`."""
        if self._looking is None:
            self._looking = Once()
            files = cast(IFiles, Files())
            self._in_thread(lambda: self._see(self._folder, files)).addBoth(self._seen)
        looking = self._looking
        if looking is None:  # that was quick
            return succeed(self._last)
        waiting = looking.wait().addTimeout(LOOK_SECONDS, self._clock)
        return waiting.addBoth(lambda _: self._last)

    def _seen(self, result: DiskFacts | Failure) -> None:
        looking, self._looking = self._looking, None
        if isinstance(result, Failure):
            self.log.failure("while {folder} was looked at", result, folder=str(self._folder))
        else:
            self._last = result
        assert looking is not None
        looking.fire(None)
