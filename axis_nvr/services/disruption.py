"""When recordings are being lost at a disk, and when no more: for whoever wants to hear of it.

This is what the event ``tnsaxis:Storage/Disruption`` says of a disk: true when it is not mounted,
read-only, failing, removed, full or locked, false when it can be written to again. A disk that is
too slow for what it is given is disrupted too, for people; the event does not say so.
"""

from dataclasses import dataclass
from typing import Protocol

from twisted.logger import Logger

from axis_nvr.storage.disk_status import DiskState


@dataclass(frozen=True, slots=True)
class Disruption:
    """Why a disk cannot be recorded to.

    :param words: a sentence for people.
    """

    disk_id: str
    state: DiskState
    words: str


class IDisruptionObserver(Protocol):
    """Hears of disruptions, in the reactor's thread.

    One of a disk ends before the next begins; only one that was slow may become another.
    """

    def disruption_began(self, disruption: Disruption) -> None:
        """A disk cannot be recorded to."""

    def disruption_ended(self, disk_id: str) -> None:
        """It can again."""


class DisruptionLog:
    """Tells of disruptions in the log."""

    log = Logger()

    def disruption_began(self, disruption: Disruption) -> None:
        """See `IDisruptionObserver`."""
        self.log.critical(
            "{disk}: nothing can be recorded, the disk is {state}: {error}",
            disk=disruption.disk_id,
            state=disruption.state.value,
            error=disruption.words,
        )

    def disruption_ended(self, disk_id: str) -> None:
        """See `IDisruptionObserver`."""
        self.log.info("{disk}: is recorded to again", disk=disk_id)
