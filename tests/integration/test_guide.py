"""The guide's examples, typed as they stand there."""

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

from axis_nvr.config.load import DEFAULT_ENDPOINTS
from tests.integration.peers import require_program

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/guide"
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


class GuideTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        for program in ("curl", "ffprobe"):
            require_program(program)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def typed(self, page: str, *ports: str) -> str:
        """Give all that a page tells to type, with ports that are free here."""
        blocks = re.findall(r"```sh\n(.*?)```", (GUIDE / page).read_text(), re.DOTALL)
        text = "\n".join(blocks)
        for port in ports:
            self.assertIn(port, text)
            text = text.replace(port, str(free_port()))
        return text.replace(".venv/bin/twistd", TWISTD)

    def said(self, typed: str) -> str:
        """Give what is said when that is typed; it ends well."""
        shell = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", typed],
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
        self.assertEqual(said.count("ERROR") + said.count("Fault>"), 0, said)
        return said


class FirstRecordingTests(GuideTestCase):
    def test_a_file_that_plays(self) -> None:
        """From no account to an exported file with the camera's picture, by curl alone."""
        said = self.said(self.typed("first-recording.md", "8080", "8554", "9554"))
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
        self.assertGreater((self.folder / "first/front.mkv").stat().st_size, 100_000)


class RuleTests(GuideTestCase):
    def test_motion_is_recorded(self) -> None:
        """A rule made by curl alone records motion; only its times are shorter here."""
        typed = self.typed("rules.md", "8080", "8554", "9554", "9080")
        shorter = {"5000": "1500", "3000": "500", "sleep 2\n": "sleep 1\n", "sleep 6": "sleep 2"}
        for long, short in shorter.items():
            self.assertIn(long, typed)
            typed = typed.replace(long, short)
        said = self.said(typed)
        for words in (
            "tnsaxis:UniversalMotionDetection",
            "<aa:ConfigurationID>1<",
            "<aa:RuleID>1<",
            'recordingtype="triggered"',
            'eventid="Motion in front"',
            'deviceid="front"',
            "RemoveActionRuleResponse",
            "RemoveActionConfigurationResponse",
        ):
            self.assertIn(words, said)


class PortTests(SynchronousTestCase):
    def test_a_camera_is_where_no_recorder_listens(self) -> None:
        """Each camera that a page starts has ports of its own beside a recorder's defaults."""
        taken = {endpoint.split(":")[1] for endpoint in DEFAULT_ENDPOINTS.values()}
        commands = [
            command
            for page in sorted(GUIDE.glob("*.md"))
            for command in re.findall(r"axis-camera --.*(?:\\\n.*)*", page.read_text())
        ]
        self.assertGreaterEqual(len(commands), 4)
        for command in commands:
            ports = set(re.findall(r"--(?:rtsp|control) tcp:(\d+)", command))
            self.assertTrue(ports, command)
            self.assertEqual(ports & taken, set(), command)
