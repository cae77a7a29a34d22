"""What a recorder is started with on the disks of memory."""

from collections.abc import Sequence
from pathlib import Path

from axis_nvr.config.disk import DiskConfig
from axis_nvr.services.disk_chores import chores_for
from axis_nvr.storage.chore_thread import ChoreMaker
from tests.storage.faults.medium import ROOT, Do, Kind, Make, Medium, Operation, Put, Sync
from tests.storage.faults.story import FOLDER

#: The chores of a disk from which nothing is removed by itself.
CHORES: Sequence[ChoreMaker] = chores_for(
    DiskConfig("HDD_DISK", Path(FOLDER), cleanup="none", scrub_days=0)
)


def new_disk() -> Medium:
    """Give a disk with the folder in which the recorder makes its own."""
    medium = Medium()
    for operation in (Make(1, Kind.FOLDER), Do(ROOT, Put("media", 1)), Sync(ROOT, works=True)):
        medium.apply(operation)
    return medium


def live(log: Sequence[Operation]) -> Medium:
    """Give a new disk as it is after these operations, the power still on."""
    medium = new_disk()
    for operation in log:
        medium.apply(operation)
    return medium.current()
