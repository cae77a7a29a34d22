"""Against guessing of passwords: who fails too often is not listened to for a while.

Failures are counted by address and by account. An account that is guessed at from many addresses
is closed for strangers, not for an address from which its password was right before: who attacks
must not be able to lock out the video management system.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import NamedTuple

#: Addresses and accounts that are remembered; the one not seen for longest is forgotten first.
MAX_REMEMBERED = 10_000


class Rule(NamedTuple):
    """So many failures within so many seconds close the door for so many seconds."""

    failures: int
    within_seconds: float
    closed_seconds: float


#: By address: what Axis devices have since OS 11.5, and a slower one beside it.
ADDRESS_RULES = (Rule(20, 1.0, 10.0), Rule(100, 600.0, 60.0))
#: By account, from all addresses together.
ACCOUNT_RULES = (Rule(100, 600.0, 60.0),)


@dataclass(slots=True, eq=False)
class _Record:
    failures: deque[float]
    closed_until: float = 0.0


class Lockout:
    """Counts failures and says who is not listened to."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Record] = OrderedDict()
        self._accounts: OrderedDict[str, _Record] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def is_closed(self, address: str, account: str, now: float) -> bool:
        """Tell whether a request is to be refused unread.

        :param account: the name that is claimed, empty if none is.
        :param now: seconds of a clock that never steps.
        """
        record = self._addresses.get(address)
        if record is not None and now < record.closed_until:
            return True
        record = self._accounts.get(account)
        closed = record is not None and now < record.closed_until
        return closed and (address, account) not in self._trusted

    def failed(self, address: str, account: str, now: float) -> None:
        """Take note that wrong credentials came."""
        _count(self._addresses, address, ADDRESS_RULES, now)
        if account:
            _count(self._accounts, account, ACCOUNT_RULES, now)

    def succeeded(self, address: str, account: str) -> None:
        """Take note that right credentials came."""
        self._trusted[address, account] = None
        self._trusted.move_to_end((address, account))
        if len(self._trusted) > MAX_REMEMBERED:
            self._trusted.popitem(last=False)


def _count(
    records: OrderedDict[str, _Record], name: str, rules: tuple[Rule, ...], now: float
) -> None:
    longest = max(rule.failures for rule in rules)
    record = records.setdefault(name, _Record(deque(maxlen=longest)))
    records.move_to_end(name)
    if len(records) > MAX_REMEMBERED:
        records.popitem(last=False)
    record.failures.append(now)
    for rule in rules:
        if len(record.failures) >= rule.failures:
            first = record.failures[-rule.failures]
            if now - first <= rule.within_seconds:
                record.closed_until = max(record.closed_until, now + rule.closed_seconds)
