"""Recording as an action: to a disk with what is said here, or by a recording group.

A disk, a device or a group must be known when the action is added. One that goes later, or comes
later than the rules after a restart, is waited for: see `axis_nvr.services.triggered`.
"""

from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import unquote

from axis_nvr.errors import ConfigError
from axis_nvr.services.actions import values
from axis_nvr.services.rules.errors import InvalidActionConfiguration
from axis_nvr.services.triggered_recording import TriggeredOrder
from axis_nvr.wire.notification import Notification


class IArmed(Protocol):
    """A recording that can begin at any time; see `axis_nvr.services.triggered.Armed`."""

    failed: Callable[[str], None]

    def start(self, utc_us: int) -> None:
        """Record, from the pre-trigger time before."""

    def stop(self, utc_us: int) -> None:
        """Record until the post-trigger time after, and no longer."""

    def pulse(self, utc_us: int) -> None:
        """Record from the pre-trigger time before until the post-trigger time after."""

    def disarm(self) -> object:
        """Let go of the stream; what is being recorded ends."""


class IRecorders(Protocol):
    """What arms recordings; see `axis_nvr.services.triggered.TriggeredRecordings`."""

    def check(self, order: TriggeredOrder) -> None:
        """See that something can be recorded, as things are now.

        :raises ConfigError: it cannot.
        """

    def arm(self, order: TriggeredOrder) -> IArmed:
        """Be ready to record.

        :raises ConfigError: it can never be recorded.
        """

    def arm_group(self, group_id: str, rule: str, action: str) -> IArmed:
        """Be ready to record by a group."""


def stream_options(text: str) -> str:
    """Give stream options as they are meant: clients send them plain or percent-encoded.

    :param text: percent-encoded as a whole if it holds no ``=``, but ``%3D``.
    """
    is_encoded = "=" not in text and "%3D" in text.upper()
    return (unquote(text) if is_encoded else text).strip().lstrip("?&")


def read_recording(given: Mapping[str, str], rule: str = "") -> TriggeredOrder:
    """Read the parameters of a recording to a disk.

    :param rule: the name of the rule that records; the recording tells it as its event, and as its
        trigger too, for that is what clients look for.
    :raises InvalidActionConfiguration: one cannot be used.
    """
    return TriggeredOrder(
        given["storage_id"].strip(),
        stream_options(given["stream_options"]),
        values.duration_ms("pre_duration", given["pre_duration"]) / 1000,
        values.duration_ms("post_duration", given["post_duration"]) / 1000,
        rule,
        rule,
    )


def check_recording(given: Mapping[str, str], recorders: IRecorders) -> None:
    """See that a recording to a disk can be made, as things are now.

    :raises InvalidActionConfiguration: it cannot.
    """
    order = read_recording(given)
    try:
        recorders.check(order)
    except ConfigError as error:
        raise InvalidActionConfiguration(f"stream_options, storage_id: {error}") from error


class RecordingAction:
    """Records as its rule says."""

    def __init__(self, armed: IArmed, failed: Callable[[str], None]) -> None:
        self._armed = armed
        armed.failed = failed

    def start(self, utc_us: int) -> None:
        """Begin to record."""
        self._armed.start(utc_us)

    def stop(self, utc_us: int) -> None:
        """Stop, after the post-trigger time."""
        self._armed.stop(utc_us)

    def fire(self, utc_us: int, notification: Notification | None) -> None:
        """Record what was before and comes after."""
        self._armed.pulse(utc_us)

    def end(self) -> None:
        """Let go of the stream."""
        self._armed.disarm()

    def halt(self) -> None:
        """Do nothing: the recorder ends what it records, and waits for its last pictures."""
