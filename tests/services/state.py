"""A state folder with its database, changed at once and without threads."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.state_folder import StateFolder


class StateTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = StateFolder(Path(self.mktemp()))
        self.folder.open()
        self.path = self.folder.path / "state.db"
        self.database = self.open()
        self.addCleanup(self.close)

    def close(self) -> None:
        self.database.close()

    def open(self) -> StateDatabase:
        return StateDatabase(self.path, maybeDeferred)

    def reopen(self) -> None:
        self.database.close()
        self.database = self.open()

    def run_now(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, coroutine: Any, *kinds: type[Exception]) -> str:
        failure = self.failureResultOf(Deferred.fromCoroutine(coroutine), *kinds)
        return str(failure.value)
