"""What runs rules."""

import socket
from collections.abc import Callable

from axis_nvr.assembly.foundation import Foundation, utc_us
from axis_nvr.protocols.interfaces import network_interfaces
from axis_nvr.services.actions.catalogue import Actions
from axis_nvr.services.actions.modifiers import Identity, Modifiers
from axis_nvr.services.actions.outgoing import Outgoing
from axis_nvr.services.groups import Groups
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.rules.engine import RuleEngine
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.services.triggered import TriggeredRecordings


def make_rules(
    base: Foundation,
    recorder: Recorder,
    triggered: TriggeredRecordings,
    groups: Groups,
    trusted: Callable[[], bytes],
    tell_failed: Callable[[str], None],
) -> RuleBook:
    """Make what runs rules; it begins with the recorder, after what records by rule.

    :param trusted: gives the CA certificates that clients have installed, PEM.
    :param tell_failed: tells everybody that an action failed.
    :raises ConfigError: the state database cannot be read.
    """
    modifiers = Modifiers(lambda: Identity(base.serial, socket.gethostname(), _own_address()))
    outgoing = Outgoing(base.reactor, trusted)
    actions = Actions(triggered, groups.find, outgoing, modifiers, base.reactor)
    book = RuleBook(base.database, base.vault, base.bus, actions.check)
    groups.in_use = book.uses_group
    engine = RuleEngine(book, base.bus, actions.make, base.reactor, utc_us, tell_failed)
    recorder.when_started.append(engine.start)
    recorder.when_stopping.append(engine.halt)
    return book


def _own_address() -> str:
    """Give an address by which others reach us, the first of version 4 if there is one."""
    try:
        found = [address for each in network_interfaces() for address in each.addresses]
    except OSError:
        return ""
    found.sort(key=lambda address: address.version)
    return str(found[0].ip) if found else ""
