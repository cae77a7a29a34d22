"""When recordings are being lost at a disk, and when no more: for whoever wants to hear of it.

This is what the event ``tnsaxis:Storage/Disruption`` says of a disk: true when it is not mounted,
read-only, failing, removed, full or locked, false when it can be written to again. A disk that is
too slow for what it is given is disrupted too, for people; the event does not say so.
"""

from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from axis_nvr.services.failure_log import LastSaid
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
    """Tells of the disruptions of one disk in the log, of the same one again now and then."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._last = LastSaid(clock)

    def goes_on(self, disruption: Disruption, outlook: str = "") -> None:
        """Tell of a disruption, unless the same was told not long ago.

        :param outlook: how it will end, if that is not for a person to say.
        """
        if not self._last.is_due((disruption.state, disruption.words)):
            return
        is_slow = disruption.state is DiskState.SLOW
        self.log.critical(
            "{disk}: {loss}: {error}{outlook}",
            disk=disruption.disk_id,
            loss="pictures are lost" if is_slow else "nothing can be recorded",
            error=disruption.words,
            outlook=f"; {outlook}" if outlook and not is_slow else "",
        )

    def ended(self, disk_id: str) -> None:
        """Tell that it is over."""
        self._last.forget()
        self.log.info("{disk}: is recorded to again", disk=disk_id)
