"""From a template and its values to an action."""

from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime

from axis_nvr.errors import NvrError
from axis_nvr.services.actions.interfaces import IAction
from axis_nvr.services.actions.modifiers import Modifiers
from axis_nvr.services.actions.notification import INotifier, NotificationAction
from axis_nvr.services.actions.outgoing import Outgoing
from axis_nvr.services.actions.recording import (
    IRecorders,
    RecordingAction,
    check_recording,
    read_recording,
)
from axis_nvr.services.rules.errors import InvalidActionConfiguration
from axis_nvr.services.rules.templates import GROUP_RECORDING, notification_kind

#: Told of what goes wrong with an action, in words without secrets.
Failed = Callable[[str], None]


class Actions:
    """Makes actions.

    :param find_group: raises for the id of a recording group that is not known.
    """

    def __init__(
        self,
        recorders: IRecorders,
        find_group: Callable[[str], object],
        outgoing: Outgoing,
        modifiers: Modifiers,
        clock: IReactorTime,
    ) -> None:
        self._recorders = recorders
        self._find_group = find_group
        self._outgoing = outgoing
        self._modifiers = modifiers
        self._clock = clock

    def check(self, template: str, given: Mapping[str, str]) -> None:
        """See that an action can be made, as things are now.

        :param template: the token of an action template.
        :param given: all of its parameters.
        :raises InvalidActionConfiguration: it cannot.
        """
        if kind := notification_kind(template):
            self._notifier(kind, given)
        elif template != GROUP_RECORDING:
            check_recording(given, self._recorders)
        else:
            try:
                self._find_group(given["recording_group_id"])
            except NvrError as error:
                raise InvalidActionConfiguration(f"recording_group_id: {error}") from error

    def make(self, template: str, given: Mapping[str, str], rule: str, failed: Failed) -> IAction:
        """Make an action for a rule.

        :param rule: its name.
        :raises NvrError: it cannot be made.
        """
        if kind := notification_kind(template):
            return NotificationAction(rule, self._notifier(kind, given), self._clock, failed)
        if template == GROUP_RECORDING:
            armed = self._recorders.arm_group(given["recording_group_id"], rule, rule)
        else:
            armed = self._recorders.arm(read_recording(given, rule))
        return RecordingAction(armed, failed)

    def _notifier(self, kind: str, given: Mapping[str, str]) -> INotifier:
        """Make what sends the messages.

        What sends them is loaded with the first action of its kind, when that is made and not when
        it fires: mail and HTTP take 2 MiB, which most recorders never need.
        """
        if kind == "smtp":
            from axis_nvr.services.actions.notification_smtp import SmtpNotifier, SmtpOrder

            return SmtpNotifier(SmtpOrder.read(given), self._outgoing, self._modifiers)
        if kind == "tcp":
            from axis_nvr.services.actions.notification_tcp import TcpNotifier, TcpOrder

            return TcpNotifier(TcpOrder.read(given), self._outgoing, self._modifiers)
        from axis_nvr.services.actions.notification_http import HttpNotifier, HttpOrder

        return HttpNotifier(HttpOrder.read(given, kind), self._outgoing, self._modifiers)
