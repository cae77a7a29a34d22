"""The recorder as people start it: the demonstration, and what it says of a bad configuration."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPSHandler,
    build_opener,
)

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.peers import require_program

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
#: Both ways to start the recorder.
TWIST = [sys.executable, "-m", "twisted", "axis-nvr"]
TWISTD = [
    sys.executable,
    "-c",
    "from twisted.scripts.twistd import run; run()",
    "--nodaemon",
    "--pidfile=",
    "axis-nvr",
]
#: How long the demonstration records, in seconds.
RECORDED_SECONDS = 10
#: How long anything may take to start or to end, in seconds.
PATIENCE_SECONDS = 30


class Program:
    """A recorder in a process of its own.

    :ivar lines: what it said on its standard output so far.
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def find(self, pattern: str) -> str:
        """Wait for a line and return its first group."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found[1]
            time.sleep(0.05)
        raise AssertionError(f"no line like {pattern}:\n" + "\n".join(self.lines))

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code; minus a signal if it ended by that."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._reader.join(PATIENCE_SECONDS)
            for pipe in (self.process.stdout, self.process.stderr):
                assert pipe is not None
                pipe.close()
        return code


#: Of the administrator that `get` makes where there is none.
ACCOUNT = ("root", "tester")


def get(url: str, account: tuple[str, str] = ACCOUNT) -> str:
    """Fetch a page of the recorder's; its certificate is its own.

    A recorder without an administrator gets one first.
    """
    context = ssl._create_unverified_context() if url.startswith("https") else None  # noqa: S323
    passwords = HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, url, *account)
    handlers: list[Any] = [HTTPDigestAuthHandler(passwords)]
    if context is not None:
        handlers.append(HTTPSHandler(context=context))
    opener = build_opener(*handlers)

    def read(url: str) -> str:
        with opener.open(url, timeout=PATIENCE_SECONDS) as answer:
            text: str = answer.read().decode()
            return text

    try:
        return read(url)
    except HTTPError as error:
        if error.headers.get("Axis-Setup") != "vapix":
            raise
    name, password = account
    site = "/".join(url.split("/")[:3])
    roles = "admin:operator:viewer:ptz"
    read(f"{site}/axis-cgi/pwdgrp.cgi?action=add&user={name}&pwd={password}&grp=root&sgrp={roles}")
    return get(url, account)  # with a handler that was never refused


def probe(source: Path | str, *options: str) -> dict[str, Any]:
    """Ask ffprobe what a block or a stream holds."""
    command = ["ffprobe", "-v", "error", *options, "-show_streams", "-show_format", "-of", "json"]
    command.append(str(source))
    result = subprocess.run(command, capture_output=True, check=True)
    document: dict[str, Any] = json.loads(result.stdout)
    return document


class DemoTests(SynchronousTestCase):
    def test_ten_seconds_of_it(self) -> None:
        """It says where to look, records both cameras, and ends with files that are whole."""
        require_program("ffmpeg")
        folder = Path(self.mktemp())
        folder.mkdir()
        schemes = {"http": "tcp", "https": "ssl", "rtsp": "tcp", "rtsps": "ssl"}
        servers = [f"--{key}={kind}:0:interface=127.0.0.1" for key, kind in schemes.items()]
        program = Program([*TWISTD, "--demo", "--state-dir=state", *servers], folder)
        self.addCleanup(program.process.kill)
        http = program.find(r"^listening on (http://127\.0\.0\.1:\d+/)$")
        https = program.find(r"^listening on (https://127\.0\.0\.1:\d+/)$")
        for scheme in ("rtsp", "rtsps"):
            program.find(rf"^listening on ({scheme}://127\.0\.0\.1:\d+/)$")
        disk = Path(program.find(r"^recordings: (.*)$"))
        program.find(r"^virtual camera (demo-2)")
        time.sleep(RECORDED_SECONDS)
        self.assertEqual(get(f"{http}healthz"), "ok\n")
        self.assertEqual(get(f"{https}healthz"), "ok\n")
        account = ("demo", program.find(r"^sign in as demo with the password (.*)$"))
        self.assertIn("Recording: 2 recordings of 2 streams", get(http, account))
        status = json.loads(get(f"{http}status.json", account))
        self.check_status(status)
        self.check_events(status)
        live = program.find(r"^live through the recorder: ffplay '(.*)'$")
        self.assertEqual(probe(live, "-rtsp_transport", "tcp")["streams"][0]["codec_name"], "h264")
        self.assertEqual(program.stop(), -signal.SIGINT, "twistd ends by the signal, when done")
        self.check_blocks(disk)

    def check_status(self, status: dict[str, Any]) -> None:
        """Both streams play at the rate that was asked for, and nothing is lost."""
        rates = {each["device"]: each["status"]["fps"] for each in status["streams"]}
        self.assertEqual(set(rates), {"demo-1", "demo-2"})
        for device, fps in (("demo-1", 25), ("demo-2", 15)):
            self.assertLess(abs(rates[device] - fps), 0.3 * fps, "a busy machine is given some")
        for each in status["recordings"]:
            self.assertEqual(each["job"]["state"], "recording")
            self.assertGreater(each["job"]["counts"]["written_gops"], 0)
            self.assertEqual(each["job"]["counts"]["dropped_gops"], 0)
            self.assertEqual(each["job"]["counts"]["gaps"], 0)

    def check_events(self, status: dict[str, Any]) -> None:
        """Both cameras are heard, and have told whether something moves."""
        for each in status["camera_events"]:
            self.assertTrue(each["is_heard"], each)
            self.assertGreaterEqual(each["notifications"], 2)
        self.assertEqual([each["device"] for each in status["camera_events"]], ["demo-1", "demo-2"])

    def check_blocks(self, disk: Path) -> None:
        """One block for each camera, each complete, without an error, and as long as recorded."""
        blocks = list(disk.rglob("*.mkv"))
        self.assertEqual(len(blocks), 2)
        kinds = set()
        for block in blocks:
            command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(block), "-f", "null", "-"]
            decoded = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual((decoded.returncode, decoded.stderr), (0, ""))
            document = probe(block)
            kinds.add(tuple(stream["codec_name"] for stream in document["streams"]))
            self.assertGreater(float(document["format"]["duration"]), RECORDED_SECONDS - 2)
            xml = block.with_suffix(".xml").read_text()
            self.assertIn("<Status>Complete</Status>", xml)
        self.assertEqual(kinds, {("h264", "aac"), ("hevc",)})


class RefusalTests(SynchronousTestCase):
    def refused(self, command: list[str], *options: str) -> str:
        """What it says on its standard error before it ends with exit code 1."""
        result = subprocess.run(
            [*command, *options],
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertNotIn("listening on", result.stdout)
        return result.stderr

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_a_bad_configuration(self) -> None:
        """One sentence that names the key, and exit code 1, whoever starts it."""
        (self.folder / "nvr.toml").write_text('[[camera]]\nid = "a"\naddress = "b"\nprotocol = 5\n')
        for command in (TWIST, TWISTD):
            said = self.refused(command, "--config", "nvr.toml")
            self.assertEqual(
                said,
                "axis-nvr: nvr.toml: [[camera]] number 1 ('a'): protocol must be a text, "
                "not a whole number\n",
            )

    def test_an_address_that_is_taken(self) -> None:
        """The same for an address at which something else listens."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            endpoint = f"tcp:{port}:interface=127.0.0.1"
            for command in (TWIST, TWISTD):
                said = self.refused(command, f"--http={endpoint}", "--https=none")
                words = f"cannot listen at port {port}: Address already in use"
                self.assertEqual(said, f"axis-nvr: http: {words}\n")
