"""The audit log: who viewed, exported, changed or deleted what, from where, and when.

Each entry goes to the log and into the state database, where the newest `MAX_ENTRIES` are kept.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import astuple, dataclass

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.services.state_database import StateDatabase

#: Entries kept.
MAX_ENTRIES = 100_000
#: Characters kept of what a client named.
MAX_TEXT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that somebody did.

    :param time_us: UTC, microseconds since 1970.
    :param account: who; empty for nobody in particular.
    :param address: from where.
    :param action: what: ``view``, ``export``, ``create``, ``change``, ``delete``, ``lock``, ``log
        in``.
    :param target: of what, such as ``recording 20240506_…``.
    :param outcome: ``ok``, or why not.
    """

    time_us: int
    account: str
    address: str
    action: str
    target: str
    outcome: str = "ok"


class Audit:
    """Keeps the audit log.

    :param utc: the time of day, in seconds since 1970.
    :ivar noted: called with each entry, in the reactor's thread.
    """

    log = Logger()

    def __init__(self, database: StateDatabase, utc: Callable[[], float]) -> None:
        self.noted: Callable[[AuditEntry], None] = lambda entry: None
        self._database = database
        self._utc = utc

    def note(
        self, account: str, address: str, action: str, target: str, outcome: str = "ok"
    ) -> None:
        """Write an entry; not waited for. What cannot be kept is in the log all the same."""
        entry = AuditEntry(
            int(self._utc() * 1e6),
            *(t[:MAX_TEXT_CHARACTERS] for t in (account, address, action, target, outcome)),
        )
        self.log.info(
            "audit: {account} at {address}: {action} {target}: {outcome}",
            account=entry.account,
            address=entry.address,
            action=entry.action,
            target=entry.target,
            outcome=entry.outcome,
        )

        def work(connection: sqlite3.Connection) -> None:
            values = astuple(entry)
            connection.execute(
                "INSERT INTO audit (time_us, account, address, action, target, outcome)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            connection.execute(
                "DELETE FROM audit WHERE id <= (SELECT MAX(id) FROM audit) - ?", (MAX_ENTRIES,)
            )

        self._database.change(work).addErrback(self._not_kept)
        self.noted(entry)

    def _not_kept(self, failure: Failure) -> None:
        self.log.error("an audit entry was not kept: {error}", error=failure.getErrorMessage())

    def newest(self, count: int) -> "Deferred[list[AuditEntry]]":
        """Give the newest entries, newest first.

        :raises StateError: as a failure: they cannot be read.
        """

        def work(connection: sqlite3.Connection) -> list[AuditEntry]:
            rows = connection.execute(
                "SELECT time_us, account, address, action, target, outcome FROM audit"
                " ORDER BY id DESC LIMIT ?",
                (count,),
            )
            return [AuditEntry(*row) for row in rows]

        return self._database.ask(work)
