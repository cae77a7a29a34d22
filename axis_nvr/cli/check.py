"""``axis-nvr check``: a disk looked over.

Output for programs, with ``--json``: one object::

    {"blocks": 12, "bytes": 345678,          what was looked at; bytes: of clusters that were read
     "findings": [
       {"kind": "cluster-damaged",           one of the kinds in the reference
        "recordingid": "…", "blockid": "…",  null where it is about more than one
        "message": "…",                      for people, may change
        "mended": "…",                       what was done about it; null: it is as it was found
        "loss": {"from": "…Z", "to": "…Z", "offset": 0, "bytes": 0}}]}    null: nothing is lost
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO, cast

from axis_nvr.cli.command import (
    EXIT_FOUND,
    EXIT_OK,
    Command,
    disk_arguments,
    index_of,
    index_path,
    printable,
)
from axis_nvr.cli.progress import ProgressBar
from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.asking import ask_to_tell
from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding, Looked, Loss
from axis_nvr.storage.checking.mending import DiskMender, finish_open
from axis_nvr.storage.checking.pace import Pace, idle_io
from axis_nvr.storage.files import Files, IFiles, storage_errors
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import LOCK_NAME, utc_text


def _arguments(parser: argparse.ArgumentParser) -> None:
    disk_arguments(parser)
    parser.add_argument(
        "--repair",
        action="store_true",
        help="mend what can be mended; no recorder may use the disk",
    )
    parser.add_argument("--quick", action="store_true", help="do not read the pictures")
    parser.add_argument(
        "--rate", type=_rate, metavar="MB/S", help="read so many megabytes a second at most"
    )


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes a second, such as 20")
    return rate


def _loss_json(loss: Loss | None) -> dict[str, Any] | None:
    if loss is None:
        return None
    times = {"from": utc_text(loss.start_us), "to": utc_text(loss.end_us)}
    return {**times, "offset": loss.offset, "bytes": loss.size_bytes}


def finding_json(finding: Finding) -> dict[str, Any]:
    """Give a finding for a program."""
    return {
        "kind": finding.kind,
        "recordingid": finding.recording_id or None,
        "blockid": finding.block_id or None,
        "message": finding.message,
        "mended": finding.mended or None,
        "loss": _loss_json(finding.loss),
    }


class Report:
    """Tells findings as they come, so that a disk full of them fills no memory.

    :ivar findings: how many were told, of which `left` are as they were found.
    """

    def __init__(self, stream: TextIO, bar: ProgressBar, *, is_json: bool) -> None:
        self.findings = self.left = 0
        self._stream = stream
        self._bar = bar
        self._is_json = is_json
        self._blocks = self._bytes = 0

    def tell(self, found: Finding | Looked) -> None:
        """Take what a check gives."""
        if isinstance(found, Looked):
            self._blocks += found.blocks
            self._bytes += found.size_bytes
            self._bar.advance(found.blocks, found.size_bytes)
            return
        self.findings += 1
        self.left += not found.mended
        if self._is_json:
            before = '{"findings": [\n' if self.findings == 1 else ",\n"
            self._stream.write(before + json.dumps(finding_json(finding=found)))
        else:
            self._bar.clear()
            self._stream.write(printable(str(found)) + "\n")

    def end(self) -> None:
        """Tell what it comes to."""
        self._bar.clear()
        if self._is_json:
            before = '{"findings": [' if not self.findings else "\n"
            counts = f'"blocks": {self._blocks}, "bytes": {self._bytes}'
            self._stream.write(f"{before}], {counts}}}\n")
        elif not self.findings:
            self._stream.write("all well\n")


def _paced(found: Iterator[Finding | Looked], pace: Pace) -> Iterator[Finding | Looked]:
    for one in found:
        yield one
        if isinstance(one, Looked):
            pace.spend(one.size_bytes)


@contextmanager
def _whole_disk(folder: Path) -> Iterator[tuple[Index, DiskMender]]:
    """Have a disk for oneself, and give what mends it.

    What a recorder would do at its start is done first: blocks and recordings that an unclean stop
    left open are closed.

    :raises StorageError: a recorder uses it, or it cannot be written.
    """
    files = cast(IFiles, Files())
    path = index_path(folder)  # what has none is for ``rebuild``
    try:
        with storage_errors(folder / LOCK_NAME, "lock the disk"):
            lock = files.lock(folder / LOCK_NAME)
    except StorageError as error:
        if error.kind is not StorageErrorKind.LOCKED:
            raise
        message = (
            "a recorder uses the disk, and mends by itself what an unclean stop left;"
            " stop it to mend the rest, or check without --repair"
        )
        raise StorageError(error.kind, folder, message) from error
    try:
        index = Index.open(files, path, int(time.time() * 1e6))
        try:
            premises = Premises(files, folder, index, time.time, lambda: ())
            finish_open(premises)
            yield index, DiskMender(premises)
        finally:
            index.close()
    finally:
        files.close(lock)


def _check(arguments: argparse.Namespace) -> int:
    with idle_io(), ExitStack() as stack:
        mender: DiskMender | None = None
        if arguments.repair:
            index, mender = stack.enter_context(_whole_disk(arguments.disk))
        else:
            index = stack.enter_context(index_of(arguments))
        return _run(arguments, index, mender)


def _run(arguments: argparse.Namespace, index: Index, mender: DiskMender | None) -> int:
    files = cast(IFiles, Files())
    check = DiskCheck(files, arguments.disk, index, reads_media=not arguments.quick, mender=mender)
    if mender is None:
        check = replace(check, catch_up=partial(ask_to_tell, files, arguments.disk))
    blocks, size_bytes = check.totals()
    bar = ProgressBar(blocks, 0 if arguments.quick else size_bytes, sys.stderr)
    report = Report(sys.stdout, bar, is_json=arguments.json)
    pace = Pace(None if arguments.rate is None else arguments.rate * 1e6)
    for found in _paced(check.run(), pace):
        report.tell(found)
    report.end()
    return EXIT_FOUND if report.left else EXIT_OK


CHECK = Command("check", "check a disk: index, XML, every cluster", _arguments, _check)
