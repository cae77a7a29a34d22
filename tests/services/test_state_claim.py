"""One recorder to a state folder."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.services.state_claim import FILE_NAME, StateClaim


class StateClaimTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.first = StateClaim(self.folder)
        self.first.startService()
        self.addCleanup(self.first.stopService)

    def test_a_second_recorder(self) -> None:
        """It is refused in a sentence that names the key, the folder and the first one."""
        error = self.assertRaises(ConfigError, StateClaim(self.folder).startService)
        words = f"^state_dir: .* is used by another recorder, process {os.getpid()}: name another"
        self.assertRegex(str(error), words)

    def test_one_after_the_other(self) -> None:
        """What has stopped, or was killed, keeps nobody from the folder."""
        self.first.stopService()
        (self.folder / FILE_NAME).write_text("1234567\n")
        second = StateClaim(self.folder)
        second.startService()
        self.addCleanup(second.stopService)
        self.assertEqual((self.folder / FILE_NAME).read_text(), f"{os.getpid()}\n")
        self.assertEqual((self.folder / FILE_NAME).stat().st_mode & 0o777, 0o600)

    def test_what_cannot_be_opened(self) -> None:
        """A link in its place is not followed."""
        other = Path(self.mktemp())
        other.mkdir()
        (other / FILE_NAME).symlink_to(self.folder / "elsewhere")
        error = self.assertRaises(ConfigError, StateClaim(other).startService)
        self.assertIn("lock cannot be opened", str(error))
        self.assertFalse((self.folder / "elsewhere").exists())
