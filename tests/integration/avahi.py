"""Avahi in the other half of a network: a daemon and its bus, both of the test's own."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.integration.networks import CameraNetwork
from tests.integration.peers import Program, holds, require_program, start_program

BUS = """<busconfig>
 <type>system</type>
 <listen>unix:path={folder}/bus</listen>
 <auth>EXTERNAL</auth>
 <policy context="default">
  <allow user="*"/> <allow own="*"/> <allow send_destination="*"/>
  <allow eavesdrop="true"/>
 </policy>
</busconfig>
"""
DAEMON = """[server]
host-name=viewer
use-ipv4=yes
use-ipv6=yes
enable-dbus=yes
[publish]
publish-workstation=no
"""


class Avahi:
    """A daemon, and its tools."""

    def __init__(self, test: Any, reactor: Any, network: CameraNetwork) -> None:
        for name in ("avahi-daemon", "avahi-browse", "avahi-publish-service", "dbus-daemon"):
            require_program(name)
        self._test = test
        self._reactor = reactor
        self._prefix = network.prefix
        self._folder = Path(tempfile.mkdtemp(prefix="avahi"))  # a socket's path must be short
        test.addCleanup(shutil.rmtree, self._folder)

    async def start(self) -> None:
        """Start the bus and the daemon.

        The daemon keeps its process id in a folder whose name is built in: it gets one of its own.
        """
        (self._folder / "bus.conf").write_text(BUS.format(folder=self._folder))
        (self._folder / "avahi.conf").write_text(DAEMON)
        config = f"--config-file={self._folder}/bus.conf"
        bus = self.run("dbus-daemon", config, "--nofork", "--nopidfile", "--print-address=1")
        await holds(self._reactor, b"unix:", lambda: bus.output)
        os.makedirs("/run/avahi-daemon", exist_ok=True)
        options = f"-f {self._folder}/avahi.conf --no-drop-root --no-chroot --no-rlimits"
        own_folder = "mount -t tmpfs none /run/avahi-daemon"
        daemon = self.run("sh", "-c", f"{own_folder} && exec avahi-daemon {options} 2>&1")
        await holds(self._reactor, b"Server startup complete", lambda: daemon.output)

    def run(self, *command: str) -> Program:
        """Run a program where the daemon is; the test ends when it has."""
        bus = f"DBUS_SYSTEM_BUS_ADDRESS=unix:path={self._folder}/bus"
        whole = [require_program(self._prefix[0]), *self._prefix[1:], "env", bus, *command]
        started: list[Program] = []
        self._test.addCleanup(lambda: started[0].ended)
        started.append(start_program(self._test, self._reactor, whole))
        return started[0]
