"""A disk that may not be used as it is: it is not started, says why, and is asked for again."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.storage.recording import RecordingDetails
from tests.services.disk_fakes import FakeDisk


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = FakeDisk()
        self.started = 0
        self.asked: list[Deferred[None]] = []
        self.clock = Clock()
        start = self.disk.start

        def starts(*, is_known: bool = False) -> Deferred[None]:
            self.started += 1
            return start(is_known=is_known)

        self.disk.start = starts  # type: ignore[method-assign]

        def admit() -> Deferred[None]:
            self.asked.append(Deferred())
            return self.asked[-1]

        self.keeper = DiskKeeper(
            lambda: self.disk,  # type: ignore[arg-type, return-value]
            self.clock,
            admit=admit,
        )

    def refuse(self, kind: StorageErrorKind) -> None:
        with capturedLogs():
            self.asked[-1].errback(StorageError(kind, Path("/disk"), "so it is"))

    def test_refused_and_admitted(self) -> None:
        """Each refusal is a state; nothing of the disk is touched before it is admitted."""
        self.keeper.start()
        opened = self.keeper.open_recording(RecordingDetails("front", ""))
        for kind, condition in (
            (StorageErrorKind.NOT_ENCRYPTED, "not encrypted"),
            (StorageErrorKind.NO_PASSPHRASE, "no passphrase"),
            (StorageErrorKind.WRONG_PASSPHRASE, "wrong passphrase"),
            (StorageErrorKind.ABSENT, "disconnected"),
        ):
            self.refuse(kind)
            self.assertEqual(self.keeper.report.condition, condition)
            self.assertIn("so it is", self.keeper.report.error)
            self.clock.advance(30)
        self.assertEqual((self.started, len(self.asked)), (0, 5))
        self.asked[-1].callback(None)
        self.assertEqual(self.started, 1)
        self.disk.starting.callback(None)
        self.assertEqual(self.successResultOf(opened), "recording 1")

    def test_stopped_while_it_is_asked(self) -> None:
        """A recorder that stops starts no disk any more."""
        self.keeper.start()
        self.successResultOf(self.keeper.stop())
        self.asked[-1].callback(None)
        self.assertEqual(self.started, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
