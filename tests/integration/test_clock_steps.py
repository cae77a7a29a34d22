"""The recorder on a machine whose clock is set while it records."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.layout import block_path, is_block_id
from tests.durability import proves
from tests.integration.peers import require_program
from tests.integration.program import PATIENCE_SECONDS, Program, get

#: ``twistd`` on a clock that is two hours early from the moment that the file ``stepped`` is there.
TWISTD = """
import os, time
right = time.time
time.time = lambda: right() - 7200 * os.path.exists("stepped")
from twisted.scripts.twistd import run
run()
"""


class ClockStepTests(SynchronousTestCase):
    def setUp(self) -> None:
        require_program("ffmpeg")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        command = [sys.executable, "-c", TWISTD, "--nodaemon", "--pidfile=", "axis-nvr", "--demo"]
        servers = ["--http=tcp:0:interface=127.0.0.1", "--https=none", "--rtsp=none"]
        self.program = Program([*command, "--state-dir=state", *servers], self.folder)
        self.addCleanup(self.program.process.kill)
        self.url = self.program.find(r"^listening on (http://127\.0\.0\.1:\d+/)$")
        password = self.program.find(r"^sign in as demo with the password (.*)$")
        self.account = ("demo", password)

    def wait_for_gops(self, count: int) -> None:
        """Wait until both recordings have so many groups on the disk."""
        end = time.monotonic() + PATIENCE_SECONDS
        written: list[int] = []
        while time.monotonic() < end:
            recordings = json.loads(get(f"{self.url}status.json", self.account))["recordings"]
            written = [each["job"]["counts"]["written_gops"] for each in recordings]
            if min(written) >= count:
                return
            time.sleep(0.1)
        raise AssertionError(f"groups on the disk: {written}, not {count}")

    @proves(
        7,
        fault="the machine's clock is set back by two hours",
        moment="while two cameras are recorded",
        outcome="recording goes on in new blocks, each with its own right start",
    )
    def test_a_step_back(self) -> None:
        """Set back by two hours, the clock stops nothing, and what is stored is whole."""
        disk = Path(self.program.find(r"^recordings: (.*)$"))
        self.wait_for_gops(1)
        (self.folder / "stepped").touch()
        self.wait_for_gops(6)
        status = json.loads(get(f"{self.url}status.json", self.account))
        self.assertLess(status["uptime_seconds"], 2 * PATIENCE_SECONDS)
        for stream in status["streams"]:
            self.assertEqual(stream["status"]["state"], "playing")
            self.assertEqual(stream["status"]["reconnects"], 0)
        self.assertEqual(self.program.stop(), -signal.SIGINT)
        blocks = list(disk.rglob("*.mkv"))
        self.assertGreaterEqual(len(blocks), 2)
        for block in blocks:
            self.assertTrue(is_block_id(block.stem), block)
            self.assertEqual(block.parent.name, block_path(block.stem))
            command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(block), "-f", "null", "-"]
            decoded = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual((decoded.returncode, decoded.stderr), (0, ""))
        command = [sys.executable, "-m", "axis_nvr.cli.main", "check", str(disk)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
