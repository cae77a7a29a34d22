"""A network of two: this machine and a camera, which lives in a network namespace of its own."""

import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from twisted.trial.unittest import SkipTest

from tests.integration.peers import require_program


class CameraNetwork(NamedTuple):
    """Where the camera is, and how to run something as the camera.

    :ivar camera: its address.
    :ivar prefix: what a command begins with to run there.
    """

    camera: str
    prefix: tuple[str, ...]


def camera_network(test: Any, which: int = 0) -> CameraNetwork:
    """Make a namespace, joined to ours by a pair of virtual interfaces, until the test ends.

    It needs root; the test is skipped where that is not to be had.

    :param which: tells two networks of one test apart: 0 or 1.
    """
    require_program("ip")
    number = 2 * os.getpid() + which  # no other process has it
    name, ours, theirs = f"nvr{number}", f"nva{number}", f"nvb{number}"
    here, camera = (f"10.231.{number % 256}.{host}" for host in (1, 2))

    def ip(*arguments: str, check: bool = True) -> None:
        subprocess.run(["ip", *arguments], check=check, capture_output=True)

    def inside(*arguments: str) -> None:
        ip("-n", name, *arguments)

    def remove() -> None:
        ip("link", "del", ours, check=False)
        ip("netns", "del", name, check=False)

    try:
        ip("netns", "add", name)
        test.addCleanup(remove)
        ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        ip("addr", "add", f"{here}/30", "dev", ours)
        ip("link", "set", ours, "up")
        inside("link", "set", "lo", "up")
        inside("addr", "add", f"{camera}/30", "dev", theirs)
        inside("link", "set", theirs, "up")
        inside("route", "add", "224.0.0.0/4", "dev", theirs)
    except (subprocess.CalledProcessError, OSError) as error:
        raise SkipTest(f"no network namespace can be made: {error}")
    return CameraNetwork(camera, ("ip", "netns", "exec", name))


def has_ipv6() -> bool:
    """Tell whether new interfaces of this machine get IPv6 addresses."""
    switches = Path("/proc/sys/net/ipv6/conf")
    return switches.exists() and not any(
        int((switches / which / "disable_ipv6").read_text()) for which in ("all", "default")
    )
