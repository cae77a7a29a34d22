"""Another process that is about to read a disk's index has the recorder tell it what waits.

What is durable may wait before the index is told of it (`axis_nvr.storage.index_news`). Within the
recorder, whoever reads has it told; another process asks by a file:

1. Who asks sees that a recorder has the disk: its lock is held. Else nothing waits.
2. They make ``.axis_nvr.ask``, and wait until it is gone. If it was there already, others had asked
   before: they make it once more when it is gone.
3. The recorder looks for it once a second, has the index told all, and removes it.

Who may not write to the disk's folder, or gets no answer, reads what the index knows.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from axis_nvr.storage.files import IFiles
from axis_nvr.storage.layout import LOCK_NAME

ASK_NAME = ".axis_nvr.ask"
#: The recorder looks so often whether somebody asks, in seconds.
ASK_SECONDS = 1.0
#: Who asks waits no longer than this, in seconds.
PATIENCE_SECONDS = 10.0
#: And looks so often.
_STEP_SECONDS = 0.05


def ask_to_tell(
    files: IFiles,
    folder: Path,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Have the index of a disk know all that is durable, before it is read by another process.

    :param folder: the disk's.
    :returns: False if something may be missing: there is no answer, or one may not ask.
    """
    until = monotonic() + PATIENCE_SECONDS
    try:
        if not _is_used(files, folder):
            return True
        is_new = False
        while not is_new:
            is_new = _make(files, folder / ASK_NAME)
            while files.exists(folder / ASK_NAME):
                if monotonic() >= until:
                    files.remove(folder / ASK_NAME)
                    return False
                sleep(_STEP_SECONDS)
    except OSError:
        return False
    return True


def _is_used(files: IFiles, folder: Path) -> bool:
    try:
        return files.is_locked(folder / LOCK_NAME)
    except FileNotFoundError:
        return False


def _make(files: IFiles, path: Path) -> bool:
    """Make an empty file; tell whether it was not there."""
    try:
        files.close(files.create(path))
    except FileExistsError:
        return False
    return True


def answer(files: IFiles, folder: Path, catch_up: Callable[[], None]) -> None:
    """Do what is asked, if somebody asks; raises nothing.

    :param catch_up: has the index told all that waits.
    """
    with suppress(OSError):
        if files.exists(folder / ASK_NAME):
            catch_up()
            files.remove(folder / ASK_NAME)
