"""The recorder and the virtual camera as processes of their own, on 127.0.0.1."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
#: How long a program may take to start or to end, in seconds.
PATIENCE_SECONDS = 60.0
#: twistd that ends when its standard input does: it does not outlive whoever started it.
TWISTD = """
import os, signal, threading

def wait():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, if we are in the background
threading.Thread(target=wait, daemon=True).start()
from twisted.scripts.twistd import run
run()
"""
SERIAL = "ACCC8E012345"


class Program:
    """A program that runs until it is ended, or until we end.

    :param name: of twistd's plugin.
    :ivar log: everything that it says.
    """

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        output: IO[bytes]
        with self.log.open("ab") as output:
            self._begin = output.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-c", TWISTD, "--nodaemon", "--pidfile=", name, *arguments],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def find(self, pattern: str) -> str:
        """Wait for a line of this run and return its first group."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(pattern, self.said(), re.MULTILINE):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(f"no line like {pattern}:\n{self.said()}")

    def said(self) -> str:
        """Give all that it said in this run."""
        return self.log.read_bytes()[self._begin :].decode("utf-8", "replace")

    def end(self) -> None:
        """End it, as by Ctrl-C."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def kill(self) -> None:
        """End it with ``kill -9``."""
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        assert self.process.stdin is not None
        self.process.stdin.close()


class RecorderProgram(Program):
    """A recorder.

    :param folder: for its state and its disk; what is there is used.
    :ivar http: where it listens, such as ``http://127.0.0.1:34567``.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            "axis-nvr",
            "--state-dir=state",
            f"--serial={SERIAL}",
            "--http=tcp:0:interface=127.0.0.1",
            "--https=ssl:0:interface=127.0.0.1",
            "--rtsp=none",
            "--rtsp=none",
            "--no-discovery",
        )
        self.state = folder / "state"
        self.http = self.find(r"^listening on (http://127\.0\.0\.1:\d+)/$")
        self.https = self.find(r"^listening on (https://127\.0\.0\.1:\d+)/$")


class CameraProgram(Program):
    """A virtual camera that asks for a password.

    :ivar port: at which it serves RTSP.
    """

    account = ("root", "camera-secret")

    def __init__(self, folder: Path) -> None:
        name, password = self.account
        super().__init__(
            folder,
            "axis-camera",
            "--rtsp=tcp:0:interface=127.0.0.1",
            "--interface=127.0.0.1",
            f"--user={name}",
            f"--password={password}",
        )
        self.port = int(self.find(r"rtsp://[^/]*?127\.0\.0\.1:(\d+)/"))
