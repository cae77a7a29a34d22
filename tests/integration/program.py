"""The recorder as a user starts it, in a process of its own."""

import json
import os
import re
import signal
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
#: How long anything may take to start or to end, in seconds.
PATIENCE_SECONDS = 60


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
