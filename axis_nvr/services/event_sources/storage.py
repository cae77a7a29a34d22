"""Events of disks: whether they can be recorded to, and how they are.

- ``tnsaxis:Storage/Disruption``: nothing can be recorded to the disk;
- ``tns1:Device/tnsaxis:HardwareFailure/StorageFailure``: the same, cameras tell it by both names;
- ``tnsaxis:Storage/Alert``: wear and temperature are beyond their levels.

Each disk has all of them from the start. One that is not in use yet is disrupted. One that is only
too slow is not: it takes most of what it is given, and what records while there is no disruption is
to go on.

Nothing that this recorder has tells wear, temperature or overall health of a disk: as in
``gethealth.cgi`` each is `UNSUPPORTED`, or `NOT_PRESENT` while there is no disk, and so there is
never an alert.
"""

from collections.abc import Iterable
from pathlib import Path

from twisted.internet.defer import Deferred, succeed

from axis_nvr.services.disruption import Disruption
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import (
    BOOLEAN,
    INTEGER,
    STRING,
    EventDeclaration,
    ItemDeclaration,
)
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.wire.notification import boolean

DISRUPTION = "tnsaxis:Storage/Disruption"
FAILURE = "tns1:Device/tnsaxis:HardwareFailure/StorageFailure"
ALERT = "tnsaxis:Storage/Alert"
LEVEL_NAMES = {
    "tnsaxis:Storage": "Storage",
    "tns1:Device": "Device",
    "tns1:Device/tnsaxis:HardwareFailure": "Hardware Failure",
}

#: A value of health that nobody can read, and one of a disk that is not there.
UNSUPPORTED = -1
NOT_PRESENT = -3

_DISK = ItemDeclaration("disk_id", STRING, "Disk")
_DISRUPTED = ItemDeclaration("disruption", BOOLEAN, "Disruption", is_state=True)
_FAILED = ItemDeclaration("disruption", BOOLEAN, "Storage Disruption", is_state=True)
DECLARATIONS = tuple(
    EventDeclaration(
        topic, name, is_property=True, source=(_DISK,), data=data, level_names=LEVEL_NAMES
    )
    for topic, name, data in (
        (DISRUPTION, "Storage disruption", (_DISRUPTED,)),
        (FAILURE, "Storage Failure", (_FAILED,)),
        (
            ALERT,
            "Storage alert",
            (
                ItemDeclaration("alert", BOOLEAN, "Alert", is_state=True),
                ItemDeclaration("temperature", INTEGER, "Temperature"),
                ItemDeclaration("wear", INTEGER, "Wear"),
                ItemDeclaration("overall_health", INTEGER, "Overall health"),
            ),
        ),
    )
)


class StorageEvents:
    """Tells of disks: an `IDisruptionObserver` and an `IDiskUser`.

    :param disk_ids: all disks.
    """

    def __init__(self, bus: EventBus, disk_ids: Iterable[str]) -> None:
        self._bus = bus
        self._unused = set(disk_ids)  # never in use until now
        self._disrupted: set[str] = set()
        for declaration in DECLARATIONS:
            bus.declare(declaration)
        for disk_id in sorted(self._unused):
            self._tell(disk_id)
            self._tell_health(disk_id, NOT_PRESENT)

    # IDisruptionObserver

    def disruption_began(self, disruption: Disruption) -> None:
        """See `IDisruptionObserver`."""
        if disruption.state is DiskState.SLOW:
            return
        self._disrupted.add(disruption.disk_id)
        self._tell(disruption.disk_id)
        if disruption.state is DiskState.ABSENT:
            self._tell_health(disruption.disk_id, NOT_PRESENT)

    def disruption_ended(self, disk_id: str) -> None:
        """See `IDisruptionObserver`."""
        self._disrupted.discard(disk_id)
        self.disk_opened(disk_id)

    # IDiskUser

    def disk_opened(self, disk_id: str, folder: Path | None = None) -> None:
        """The disk is in use; that there was no disruption before it, nobody else says."""
        self._unused.discard(disk_id)
        self._tell(disk_id)
        self._tell_health(disk_id, UNSUPPORTED)

    def disk_locked(self, disk_id: str, folder: Path) -> None:
        """It may be read, and is disrupted."""

    def disk_closing(self, disk_id: str, *, comes_back: bool) -> "Deferred[None]":
        """Nothing of it is open here; what comes of it is told as a disruption."""
        return succeed(None)

    def _tell(self, disk_id: str) -> None:
        is_disrupted = disk_id in self._unused or disk_id in self._disrupted
        data = (("disruption", boolean(is_disrupted)),)
        for topic in (DISRUPTION, FAILURE):
            self._bus.set_state(topic, data, _source(disk_id))

    def _tell_health(self, disk_id: str, value: int) -> None:
        values = ((name, str(value)) for name in ("temperature", "wear", "overall_health"))
        data = (("alert", boolean(False)), *values)
        self._bus.set_state(ALERT, data, _source(disk_id))


def _source(disk_id: str) -> tuple[tuple[str, str], ...]:
    return (("disk_id", disk_id),)
