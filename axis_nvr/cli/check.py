"""``axis-nvr check``: a disk looked over."""

import argparse
import sys
from typing import Any

from axis_nvr.cli.command import (
    EXIT_FOUND,
    EXIT_OK,
    Command,
    disk_arguments,
    index_of,
    print_json,
    printable,
    utc_or_none,
)
from axis_nvr.storage.check import Finding, check_disk
from axis_nvr.storage.files import Files


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "recordingid": finding.recording_id or None,
        "blockid": finding.block_id or None,
        "time": utc_or_none(finding.utc_us),
        "message": finding.message,
    }


def _check(arguments: argparse.Namespace) -> int:
    shows_progress = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if shows_progress:
            end = "\n" if done == total else ""
            print(f"\r{done} of {total} blocks", end=end, file=sys.stderr, flush=True)

    findings: list[Finding] = []
    with index_of(arguments) as index:
        for finding in check_disk(Files(), arguments.disk, index, progress):
            findings.append(finding)
            if not arguments.json:
                print(printable(str(finding)))
    if arguments.json:
        print_json([_finding_json(finding) for finding in findings])
    elif not findings:
        print("all well")
    return EXIT_FOUND if findings else EXIT_OK


CHECK = Command("check", "check a disk: index, XML, every cluster", disk_arguments, _check)
