"""What of a recorder can be reached from outside, found where it is made: nobody keeps a list."""

import ast
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.testing import MemoryReactorClock

import axis_nvr
from axis_nvr.assembly import servers
from axis_nvr.assembly.foundation import Release
from axis_nvr.assembly.recorder import make_recorder
from axis_nvr.config import load_config
from axis_nvr.vapix import api
from axis_nvr.vapix.call import Endpoint

VAPIX = Path(axis_nvr.__file__).parent / "vapix"
#: What stands for each part of a path that may be anything.
PART = "basic-device-info/v2beta/allowAnonymous"
#: Tables that change with whatever is asked.
NOT_STATE = {"audit", "sqlite_sequence"}


def all_endpoints(folder: Path) -> list[Endpoint]:
    """Give every endpoint of a recorder, which is made in a folder and not started."""
    found: list[Endpoint] = []
    make = api.endpoints

    def endpoints(*arguments: Any, **more: Any) -> tuple[Endpoint, ...]:
        found.extend(make(*arguments, **more))
        return tuple(found)

    with patch.object(servers, "endpoints", endpoints):
        config = load_config(None, {"state_dir": "surface"}, folder)
        release = Release("1", "Feb 14 2026 13:08")
        make_recorder(MemoryReactorClock(), config, release, lambda line: None)
    assert len(found) > 20, "there is more than that"
    return found


def all_paths(folder: Path) -> list[str]:
    """Give the path of every endpoint."""
    return [re.sub(r"<[^>]*>", PART, each.path) for each in all_endpoints(folder)]


def all_arguments() -> list[str]:
    """Give the names of all arguments that any CGI asks for: what is looked up by a text."""
    names = set()
    for path in VAPIX.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names |= set(_looked_up(node))
    return sorted(name for name in names if re.fullmatch("[a-z][a-z_]{1,30}", name))


def _looked_up(node: ast.AST) -> Iterator[str]:
    found: list[ast.expr] = []
    if isinstance(node, ast.Call):
        found = node.args[:2]
    elif isinstance(node, ast.Subscript):
        found = [node.slice]
    elif isinstance(node, ast.Compare):
        found = [node.left]
    elif isinstance(node, ast.Tuple):
        found = node.elts[:1]
    for each in found:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def state_of(folder: Path) -> dict[str, Any]:
    """Give all that a recorder keeps, its log and its audit log apart.

    :param folder: of the recorder: the rows of its databases, the names of its files.
    """
    state: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.db")):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            for table in _tables(connection):
                query = f"SELECT * FROM {table}"  # noqa: S608 - a table's own name
                rows = [row for row in connection.execute(query) if "audit" not in row]
                state[f"{path.name}:{table}"] = sorted(map(repr, rows))
        finally:
            connection.close()
    names = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    state["files"] = sorted(name for name in names if not re.search(r"-(wal|shm)$|\.tmp", name))
    return state


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in rows if name not in NOT_STATE]
