"""A state folder is one recorder's: a second one on it would know other accounts than the first.

The file ``lock`` in it is locked as long as the recorder runs, and holds the number of its process.
The kernel takes the lock away with the process, so nothing has to be removed after a crash.
"""

import fcntl
import os
from pathlib import Path

from twisted.application.service import Service

from axis_nvr.errors import ConfigError
from axis_nvr.services.state_folder import FILE_MODE

#: The file that is locked.
FILE_NAME = "lock"


class StateClaim(Service):
    """Keeps other recorders from a state folder while this one runs.

    :param folder: the state folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def startService(self) -> None:
        """Claim the folder.

        :raises ConfigError: another recorder has, or the file cannot be made.
        """
        path = self._folder / FILE_NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise ConfigError(f"state_dir: {path} cannot be opened: {error.strerror}")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise ConfigError(self._refusal(owner, error))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor
        super().startService()

    def stopService(self) -> None:
        """Let go of the folder."""
        super().stopService()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _refusal(self, owner: str, error: OSError) -> str:
        if isinstance(error, BlockingIOError):
            words = (
                f"is used by another recorder, process {owner or 'unknown'}: name another folder"
            )
        else:
            words = f"cannot be locked: {error.strerror}"
        return f"state_dir: {self._folder} {words}"
