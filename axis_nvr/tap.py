"""The service that ``twistd axis-nvr`` and ``python -m twisted axis-nvr`` start.

The only module that knows the global reactor. What is wrong with the configuration ends it with one
sentence on the standard error and exit code 1, before anything is recorded.
"""

import gc
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.logger import Logger

from axis_nvr.assembly.foundation import Release
from axis_nvr.assembly.recorder import make_recorder
from axis_nvr.config import (
    DEFAULT_ENDPOINTS,
    DEFAULT_STATE_DIR,
    load_config,
)
from axis_nvr.errors import ConfigError
from axis_nvr.services.command_line import CommandLine, refuse
from axis_nvr.services.foreground import announce
from axis_nvr.services.memory import Trimming, keep_large_pieces

_log = Logger()


class Options(CommandLine):
    """The command line of the recorder; it wins over the configuration file."""

    program = "axis-nvr"
    synopsis = "[options]"
    longdesc = "A network video recorder. Each option has a key in the configuration file."
    optParameters = [  # noqa: RUF012 - Twisted's name and way
        ["config", None, None, "configuration file, TOML"],
        ["state-dir", None, None, f"folder of the recorder's state [default: {DEFAULT_STATE_DIR}]"],
        *(
            [key, None, None, f"where to listen for {key.upper()}, or none [default: {default}]"]
            for key, default in DEFAULT_ENDPOINTS.items()
        ),
        ["serial", None, None, "serial number, 12 hexadecimal digits [default: made once]"],
    ]
    optFlags = [  # noqa: RUF012
        ["no-discovery", None, "announce nothing by UPnP and Bonjour"],
        ["demo", None, "start virtual cameras and record them to a fresh disk"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["disk"] = []

    def opt_disk(self, value: str) -> None:
        """ID=DIR: a disk and its folder; repeatable [default: HDD_DISK in the state folder]."""
        self["disk"].append(value)

    def given(self) -> dict[str, Any]:
        """Return what was given, by the keys of the configuration file."""
        return {
            key.replace("-", "_"): bool(value) if key in ("no-discovery", "demo") else value
            for key, value in self.items()
            if value and key != "config"
        }


def makeService(options: Mapping[str, Any]) -> IService:
    """Make the recorder; what cannot be used ends the process."""
    assert isinstance(options, Options)
    from twisted.internet import reactor

    path = Path(options["config"]) if options["config"] else None
    try:
        config = load_config(path, options.given(), Path.cwd())
        run_on_monotonic_clock(reactor)
        service = NvrService()
        release = Release(_version(), _build_date())
        for part in make_recorder(reactor, config, release, announce):
            part.setServiceParent(service)
    except ConfigError as error:
        refuse(Options.program, error)
    Trimming(reactor).setServiceParent(service)
    keep_large_pieces()
    gc.collect()
    gc.freeze()  # what is loaded now stays: not looked at again in each collection
    return service


def run_on_monotonic_clock(reactor: Any) -> None:
    """Have a reactor measure time by a clock that is never set.

    Twisted's own is the time of day. When that is set back by an hour, as on a machine whose first
    answer of an NTP server comes late, every timer would wait an hour longer: connections are not
    read, nothing is recorded. Twisted asks ``reactor.seconds`` for both, when a call is due and
    whether it is, so it must be replaced before the first call is scheduled. Nothing of ours asks
    a reactor for the time of day, and the access log, which does, is off.
    """
    assert not reactor.getDelayedCalls(), "these are due by the other clock"
    reactor.seconds = time.monotonic


class NvrService(MultiService):
    """All of the recorder; it ends the process if it cannot listen."""

    def startService(self) -> None:
        """Start everything, servers first: what cannot listen records nothing."""
        try:
            super().startService()
        except ConfigError as error:
            refuse(Options.program, error)


def _version() -> str:
    try:
        return version("axis_nvr")
    except PackageNotFoundError:  # a checkout that is not installed
        return "of a checkout"


def _build_date() -> str:
    """Tell when the program was made, as far as its files do."""
    made = time.gmtime(Path(__file__).stat().st_mtime)
    return time.strftime("%b %d %Y %H:%M", made)
