"""The recorder under measurement: started as a user starts it, asked by its own status page."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.processes import MEASURED_CORES, read_line, start, stop
from tests.integration.program import get

START_SECONDS = 60.0


class Recorder:
    """A recorder process that records `cameras` streams of the load generator.

    :param folder: where its state goes; made if need be.
    :param disk: where its recordings go.
    :param serve: whether it serves RTSP, at `rtsp_port`.
    """

    def __init__(
        self, folder: Path, disk: Path, port: int, cameras: int, *, serve: bool = False
    ) -> None:
        folder.mkdir(parents=True)
        config = folder / "nvr.toml"
        config.write_text("".join(_camera(number, port) for number in range(cameras)))
        self._web_port, self.rtsp_port = _free_port(), _free_port() if serve else 0
        rtsp = f"tcp:{self.rtsp_port}:interface=127.0.0.1" if serve else "none"
        command = [sys.executable, "-m", "twisted", "--log-file", str(folder / "log")]
        command += ["axis-nvr", "--config", str(config)]
        command += ["--state-dir", str(folder / "state"), "--disk", f"HDD_DISK={disk}"]
        command += ["--http", f"tcp:{self._web_port}:interface=127.0.0.1", "--https", "none"]
        command += ["--rtsp", rtsp, "--rtsps", "none", "--no-discovery"]
        self.process = start(command, MEASURED_CORES, stdout=subprocess.PIPE)
        while b"http://" not in read_line(self.process.stdout):
            pass

    def status(self) -> dict[str, Any]:
        """Ask for its status."""
        url = f"http://127.0.0.1:{self._web_port}/status.json"
        status: dict[str, Any] = json.loads(get(url))
        return status

    def add_account(self, name: str, password: str) -> None:
        """Make the first administrator; nobody else is answered from then on."""
        query = f"action=add&user={name}&pwd={password}&grp=root&sgrp=admin:operator:viewer"
        get(f"http://127.0.0.1:{self._web_port}/axis-cgi/pwdgrp.cgi?{query}")

    def wait(self, condition: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """Ask until a condition holds.

        :raises TimeoutError: it does not within `seconds`.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition(status := self.status()):
                return status
            time.sleep(0.2)
        raise TimeoutError(json.dumps(status["streams"][:1], indent=1))

    def wait_until_all_play(self) -> dict[str, Any]:
        """Wait until every stream plays."""
        return self.wait(
            lambda status: all(it["status"]["state"] == "playing" for it in status["streams"]),
            START_SECONDS,
        )

    def stop(self) -> None:
        """Interrupt it, and wait until it has ended its recordings."""
        stop([self.process], timeout=60)


def _camera(number: int, port: int) -> str:
    return (
        f'[[camera]]\nid = "c{number}"\nurl = "rtsp://127.0.0.1:{port}/{number}"\n'
        f'[[recording]]\ndisk = "HDD_DISK"\noptions = "device=c{number}"\n'
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
