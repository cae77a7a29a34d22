"""A whole recorder in the process of the test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.application.service import MultiService
from twisted.internet import reactor

from axis_nvr.assembly.foundation import Release
from axis_nvr.assembly.recorder import make_recorder
from axis_nvr.config import load_config

T = TypeVar("T")
#: The keys that switch all servers off.
NO_SERVERS = 'http = "none"\nhttps = "none"\nrtsp = "none"\n'


def make_service(folder: Path, text: str, announce: Callable[[str], None] = print) -> MultiService:
    """Put a recorder together; not started.

    :param text: its configuration; it is kept in `folder`, as all else.
    """
    file = folder / "nvr.toml"
    file.write_text(text)
    service = MultiService()
    release = Release("1", "Feb 14 2026 13:08")
    parts: Any = make_recorder(reactor, load_config(file, {}, folder), release, announce)
    for part in parts:
        part.setServiceParent(service)
    return service


def part_of(service: MultiService, kind: type[T]) -> T:
    """Give the only part of a recorder of a kind."""
    (found,) = [each for each in service if isinstance(each, kind)]
    return found
