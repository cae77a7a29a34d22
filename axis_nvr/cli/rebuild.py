"""``axis-nvr rebuild``: the index of a disk made anew from its files.

Output for programs, with ``--json``: one object::

    {"recordings": 12, "blocks": 345,     what was found
     "left": 0,                           files that were not understood, and stay as they are
     "oldindex": "index.db.old"}          null: there was none
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import provider

from axis_nvr.cli.command import (
    EXIT_FOUND,
    EXIT_OK,
    Command,
    disk_arguments,
    print_json,
    printable,
)
from axis_nvr.cli.progress import ProgressBar
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.housekeeping import Progress
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.repair.offline import OLD_NAME, rebuild_index


def _rebuild(arguments: argparse.Namespace) -> int:
    had_index = (arguments.disk / INDEX_NAME).exists()
    bar = ProgressBar(0, 0, sys.stderr, what="hours")
    with _warnings_shown(bar):
        report = rebuild_index(
            cast(IFiles, Files()),
            arguments.disk,
            time.time,
            progress=lambda progress: _show(bar, progress),
        )
    bar.clear()
    if arguments.json:
        print_json(
            {
                "recordings": report.recordings,
                "blocks": report.blocks,
                "left": report.left,
                "oldindex": OLD_NAME if had_index else None,
            }
        )
    else:
        print(report)
        if had_index:
            print(f"the old index is {OLD_NAME}")
    return EXIT_FOUND if report.left else EXIT_OK


@contextmanager
def _warnings_shown(bar: ProgressBar) -> Iterator[None]:
    """Tell people what a recorder would tell its log: which files are left as they are."""

    @provider(ILogObserver)
    def show(event: LogEvent) -> None:
        if event.get("log_level", LogLevel.debug) >= LogLevel.warn:
            bar.clear()
            print(printable(formatEvent(event)), file=sys.stderr)

    globalLogPublisher.addObserver(show)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(show)


def _show(bar: ProgressBar, progress: Progress) -> None:
    bar.reach(progress.done, progress.total)


REBUILD = Command(
    "rebuild",
    "make the index of a disk anew from its files; no recorder may be using it",
    disk_arguments,
    _rebuild,
)
