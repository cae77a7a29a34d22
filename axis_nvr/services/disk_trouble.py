"""What is wrong with a disk: who hears of it, and how it is found out that it is over.

Observers hear of it once. The log hears of each cause once, and of one that lasts now and then.

What says how a disk is are the groups that are written to it. While it is not well nobody may write
any: rules that record only to a disk that is well have ended their recordings. So it is tried out
now and then, until it is.
"""

from collections.abc import Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from axis_nvr.services.disruption import Disruption, DisruptionLog, IDisruptionObserver
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState

#: A disk that is in use and not well is tried out after so long, and then so often, in seconds: a
#: full one may have been given room by retention in a moment.
FIRST_TRIAL_SECONDS = 2.0
TRIAL_SECONDS = 10.0
#: What a person who reads the log need not do.
OUTLOOK = "it is tried again by itself"


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
        self._log = DisruptionLog(clock)
        self._tried: Disk | None = None
        self._timer: IDelayedCall | None = None

    def began(self, state: DiskState, words: str, *, is_held: bool = False) -> None:
        """Take note of what is wrong; one who knows of it hears only of what is worse than slow.

        :param is_held: it lasts until somebody wants the disk to be used again.
        """
        before, disruption = self.disruption, Disruption(self._disk_id, state, words)
        is_news = before is None or (before.state is DiskState.SLOW and state is not before.state)
        self.disruption = disruption
        self._log.goes_on(disruption, "" if is_held else OUTLOOK)
        for observer in self._observers if is_news else ():
            observer.disruption_began(disruption)

    def opening(self) -> None:
        """Take note that a disk that was held is wanted again, and not in use yet."""
        if self.disruption is not None:
            words = "the disk is being opened"
            self.disruption = Disruption(self._disk_id, DiskState.STOPPED, words)

    def ended(self) -> None:
        """Take note that the disk is well."""
        if self.disruption is not None:
            self.disruption = None
            self.rest()
            self._log.ended(self._disk_id)
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
            if self.disruption is not None:
                self._log.goes_on(self.disruption, OUTLOOK)
            self._try_later(TRIAL_SECONDS)
