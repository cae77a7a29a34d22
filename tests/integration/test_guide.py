"""The guide's first recording, typed as it stands there."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.peers import require_program

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/guide/first-recording.md"
#: In place of the program that set-up installs, so that this interpreter is tried.
TWISTD = f"{shlex.quote(sys.executable)} -c 'from twisted.scripts.twistd import run; run()'"
#: How long all of it may take, in seconds.
PATIENCE_SECONDS = 90


def free_port() -> int:
    """Find a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def end(shell: "subprocess.Popen[str]") -> None:
    """End what a shell has left running, if it failed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)


class FirstRecordingTests(SynchronousTestCase):
    def setUp(self) -> None:
        for program in ("curl", "ffprobe"):
            require_program(program)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def typed(self) -> str:
        """Give all that the page tells to type, with ports that are free here."""
        text = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL))
        for port in ("8080", "8554", "9554"):
            self.assertIn(port, text)
            text = text.replace(port, str(free_port()))
        return text.replace(".venv/bin/twistd", TWISTD)

    def test_a_file_that_plays(self) -> None:
        """From no account to an exported file with the camera's picture, by curl alone."""
        shell = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", self.typed()],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(end, shell)
        said, _ = shell.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(shell.returncode, 0, said)
        for words in (
            "needsetup",
            "Created account root",
            'id="front"',
            'diskid="HDD_DISK"',
            'result="OK"',
            'recordingstatus="completed"',
            "Video: h264",
            "1920x1080",
        ):
            self.assertIn(words, said)
        self.assertEqual(said.count("ERROR"), 0, said)
        self.assertGreater((self.folder / "first/front.mkv").stat().st_size, 100_000)
