"""What the rules need of an action."""

from typing import Protocol

from axis_nvr.wire.notification import Notification


class IAction(Protocol):
    """An action of one rule. No call waits, and none raises.

    What goes wrong later is told by a callable that it was made with.
    """

    def start(self, utc_us: int) -> None:
        """Begin what goes on until `stop`; the time is that of the trigger, µs since 1970."""

    def stop(self, utc_us: int) -> None:
        """End what goes on."""

    def fire(self, utc_us: int, notification: Notification | None) -> None:
        """Do once what is to be done.

        :param notification: what triggered it, None if conditions did.
        """

    def end(self) -> None:
        """Let go of everything: the rule is gone."""

    def halt(self) -> None:
        """Begin nothing any more: the recorder stops, and ends what it records."""
