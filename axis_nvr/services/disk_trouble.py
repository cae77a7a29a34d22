"""What is wrong with a disk: who hears of it, and how it is found out that it is over.

What says how a disk is are the groups that are written to it. While it is not well nobody may write
any: rules that record only to a disk that is well have ended their recordings. So it is tried out
now and then, until it is.
"""

from collections.abc import Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from axis_nvr.services.disruption import Disruption, IDisruptionObserver
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState

#: A disk that is in use and not well is tried out after so long, and then so often, in seconds: a
#: full one may have been given room by retention in a moment.
FIRST_TRIAL_SECONDS = 2.0
TRIAL_SECONDS = 10.0


class DiskTrouble:
    """Tells of disruptions of one disk that begin and end.

    :ivar disruption: why recordings are being lost now; None: they are not.
    """

    def __init__(
        self, disk_id: str, clock: IReactorTime, observers: Sequence[IDisruptionObserver]
    ) -> None:
        self.disruption: Disruption | None = None
        self._disk_id = disk_id
        self._clock = clock
        self._observers = observers
        self._tried: Disk | None = None
        self._timer: IDelayedCall | None = None

    def began(self, state: DiskState, words: str) -> None:
        """Take note of what is wrong; one who knows of it hears only of what is worse than slow."""
        before, disruption = self.disruption, Disruption(self._disk_id, state, words)
        is_news = before is None or (before.state is DiskState.SLOW and state is not before.state)
        self.disruption = disruption
        for observer in self._observers if is_news else ():
            observer.disruption_began(disruption)

    def ended(self) -> None:
        """Take note that the disk is well."""
        if self.disruption is not None:
            self.disruption = None
            self.rest()
            for observer in self._observers:
                observer.disruption_ended(self._disk_id)

    def try_out(self, disk: Disk) -> None:
        """Try a disk out that is in use, until it is well or `rest` is called."""
        self._tried = disk
        self._try_later(FIRST_TRIAL_SECONDS)

    def rest(self) -> None:
        """Try it out no more: it is not in use."""
        self._tried = None
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _try_later(self, delay: float) -> None:
        if self._timer is None:
            self._timer = self._clock.callLater(delay, self._try)

    def _try(self) -> None:
        self._timer = None
        if self._tried is not None:
            self._tried.try_out().addCallback(self._tried_out)

    def _tried_out(self, _: object) -> None:
        if self._tried is not None:
            self._try_later(TRIAL_SECONDS)
