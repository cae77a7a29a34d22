"""A notification as an action: each time that it fires a message goes on its way."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from axis_nvr.services.actions.deliveries import Counts, Deliveries
from axis_nvr.wire.notification import Notification


class INotifier(Protocol):
    """Writes messages of one kind, and sends them."""

    @property
    def place(self) -> str:
        """Where they go, for people: without passwords and queries."""

    def compose(self, utc_us: int) -> Any:
        """Write the message of one trigger; the time is that of the trigger."""

    async def send(self, message: Any) -> None:
        """Send one; cancelling ends it.

        :raises DeliveryRefused: the other side will never take it.
        :raises DeliveryFailed: it did not work this time, as with any other error.
        """


class NotificationAction:
    """Sends a message each time that it fires.

    :param rule: its name, for the log.
    :param failed: told of messages that were given up.
    """

    def __init__(
        self, rule: str, notifier: INotifier, clock: IReactorTime, failed: Callable[[str], None]
    ) -> None:
        self._notifier = notifier
        self._deliveries = Deliveries(rule, notifier.place, notifier.send, clock, failed)

    @property
    def counts(self) -> Counts:
        """What became of the messages."""
        return self._deliveries.counts

    def start(self, utc_us: int) -> None:
        """Do nothing: it is not an action that goes on."""

    def stop(self, utc_us: int) -> None:
        """Do nothing."""

    def fire(self, utc_us: int, notification: Notification | None) -> None:
        """Put a message on its way."""
        self._deliveries.add(self._notifier.compose(utc_us))

    def end(self) -> None:
        """Give up what is on its way."""
        self._deliveries.end()

    def halt(self) -> None:
        """Give up what is on its way."""
        self._deliveries.end()
