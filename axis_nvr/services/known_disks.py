"""Which disks were in use, remembered over restarts: ``disks.json`` in the state folder.

``{"HDD_DISK": "/srv/nvr/HDD_DISK"}``: id and folder. A disk that was in use, and of which nothing
is in its folder, is not mounted; recording there would fill the wrong disk, and be hidden as soon
as the right one is mounted over it. Another folder of the same id is another disk.
"""

import json
from pathlib import Path

from twisted.logger import Logger

from axis_nvr.errors import ConfigError
from axis_nvr.services.state_folder import StateFolder

#: In the state folder.
FILE_NAME = "disks.json"


class KnownDisks:
    """Remembers disks; what cannot be read or written is told of, and holds up no recording."""

    log = Logger()

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._folders: dict[str, str] = {}
        try:
            read = json.loads(state.read(FILE_NAME) or b"{}")
            self._folders = {str(name): str(folder) for name, folder in read.items()}
        except (ConfigError, ValueError, AttributeError) as error:
            self.log.error(
                "which disks were in use is not known ({error}): an empty folder is taken for a new"
                " disk",
                error=str(error),
            )

    def knows(self, disk_id: str, folder: Path) -> bool:
        """Tell whether a disk was in use at a folder."""
        return self._folders.get(disk_id) == str(folder.absolute())

    def set(self, disk_id: str, folder: Path, *, is_known: bool) -> None:
        """Remember a disk at its folder, or forget it."""
        if is_known == self.knows(disk_id, folder):
            return
        if is_known:
            self._folders[disk_id] = str(folder.absolute())
        else:
            del self._folders[disk_id]
        try:
            self._state.write(FILE_NAME, json.dumps(self._folders, indent=1).encode() + b"\n")
        except ConfigError as error:
            self.log.error("{error}", error=str(error))


class DiskMemory:
    """What is remembered of one disk: an `axis_nvr.services.disk_keeper.IDiskMemory`."""

    def __init__(self, disks: KnownDisks, disk_id: str, folder: Path) -> None:
        self._disks = disks
        self._disk = (disk_id, folder)

    @property
    def is_known(self) -> bool:
        """Whether it was in use before."""
        return self._disks.knows(*self._disk)

    @is_known.setter
    def is_known(self, value: bool) -> None:
        self._disks.set(*self._disk, is_known=value)
