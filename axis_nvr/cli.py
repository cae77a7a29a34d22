"""``axis-nvr``: what is on a disk, on the command line.

Each command is a row of `COMMANDS`. Exit codes: 0 all well, 1 something was found (or not found),
2 it could not be done.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axis_nvr.errors import NvrError
from axis_nvr.media.units import Gap
from axis_nvr.storage.check import Finding, check_disk
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import BlockRow, Index, RecordingRow
from axis_nvr.storage.layout import INDEX_NAME, utc_text
from axis_nvr.words import size_words

#: All well.
EXIT_OK = 0
#: Something was found, or what was asked for was not.
EXIT_FOUND = 1
#: It could not be done.
EXIT_FAILED = 2


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, what it is for, its arguments, and what it does.

    :param run: gives the exit code.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


# Texts.


def _time(utc_us: int | None) -> str:
    return "-" if utc_us is None else f"{utc_text(utc_us)[:-4]}Z".replace("T", " ")


def _duration(start_us: int | None, stop_us: int | None) -> str:
    if start_us is None or stop_us is None:
        return "-"
    minutes, seconds = divmod(max(0, stop_us - start_us) // 1_000_000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _printable(text: str) -> str:
    """Let no text from a disk send commands to the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [titles, *([_printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))


def _utc(utc_us: int | None) -> str | None:
    return None if utc_us is None else utc_text(utc_us)


# What the commands tell, as JSON.


def _recording_json(row: RecordingRow, blocks: Sequence[BlockRow]) -> dict[str, Any]:
    return {
        "recordingid": row.recording_id,
        "starttime": _utc(row.start_us),
        "stoptime": _utc(row.stop_us),
        "recordingtype": row.recording_type,
        "eventid": row.event,
        "eventtrigger": row.action,
        "source": row.source,
        "device": row.device,
        "streamoptions": row.stream_options,
        "group": row.group,
        "video": None if row.video is None else row.video.mime_type,
        "audio": None if row.audio is None else row.audio.mime_type,
        "blocks": len(blocks),
        "size": sum(block.size_bytes for block in blocks),
    }


def _block_json(block: BlockRow) -> dict[str, Any]:
    return {
        "blockid": block.block_id,
        "path": block.path,
        "starttime": _utc(block.start_us),
        "stoptime": _utc(block.stop_us),
        "size": block.size_bytes,
        "status": _status(block),
    }


def _gap_json(gap: Gap) -> dict[str, Any]:
    return {
        "starttime": _utc(gap.start_us),
        "stoptime": _utc(gap.end_us),
        "reason": gap.reason.value,
        "lostpackets": gap.lost_packets,
        "detail": gap.detail,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "recordingid": finding.recording_id or None,
        "blockid": finding.block_id or None,
        "time": _utc(finding.utc_us),
        "message": finding.message,
    }


def _status(block: BlockRow) -> str:
    if block.unfinished is not None:
        return "unfinished"
    return "recording" if block.stop_us is None else "complete"


# The commands.


@contextmanager
def _index_of(arguments: argparse.Namespace) -> Iterator[Index]:
    index = Index.open_read_only(Files(), arguments.disk / INDEX_NAME)
    try:
        yield index
    finally:
        index.close()


def _list_recordings(arguments: argparse.Namespace) -> int:
    with _index_of(arguments) as index:
        found = [(row, list(index.blocks(row.recording_id))) for row in index.recordings()]
    if arguments.json:
        _print_json([_recording_json(row, blocks) for row, blocks in found])
        return EXIT_OK
    titles = ("RECORDING", "START", "DURATION", "BLOCKS", "SIZE", "TRIGGER", "DEVICE")
    _print_table(
        titles,
        (
            (
                row.recording_id,
                _time(row.start_us),
                _duration(row.start_us, row.stop_us) if row.stop_us is not None else "recording",
                str(len(blocks)),
                size_words(sum(block.size_bytes for block in blocks)),
                row.event,
                row.device,
            )
            for row, blocks in found
        ),
    )
    return EXIT_OK


def _show_recording(arguments: argparse.Namespace) -> int:
    with _index_of(arguments) as index:
        row = next(index.recordings(arguments.recording), None)
        if row is None:
            print(f"axis-nvr: no recording {arguments.recording}", file=sys.stderr)
            return EXIT_FOUND
        blocks = list(index.blocks(row.recording_id))
        gaps = list(index.gaps(row.recording_id))
    told = _recording_json(row, blocks)
    if arguments.json:
        told["blocks"] = [_block_json(block) for block in blocks]
        told["gaps"] = [_gap_json(gap) for gap in gaps]
        _print_json(told)
        return EXIT_OK
    for name, value in told.items():
        if value not in (None, ""):
            text = size_words(value) if name == "size" else _printable(str(value))
            print(f"{name + ':':15} {text}")
    print()
    _print_blocks(blocks)
    if gaps:
        print()
        _print_gaps(gaps)
    return EXIT_OK


def _print_blocks(blocks: Iterable[BlockRow]) -> None:
    _print_table(
        ("BLOCK", "START", "DURATION", "SIZE", "STATUS"),
        (
            (
                block.block_id,
                _time(block.start_us),
                _duration(block.start_us, block.stop_us),
                size_words(block.size_bytes),
                _status(block),
            )
            for block in blocks
        ),
    )


def _print_gaps(gaps: Iterable[Gap]) -> None:
    _print_table(
        ("GAP", "UNTIL", "REASON", "LOST", "DETAIL"),
        (
            (_time(gap.start_us), _time(gap.end_us), gap.reason, str(gap.lost_packets), gap.detail)
            for gap in gaps
        ),
    )


def _check(arguments: argparse.Namespace) -> int:
    shows_progress = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if shows_progress:
            end = "\n" if done == total else ""
            print(f"\r{done} of {total} blocks", end=end, file=sys.stderr, flush=True)

    findings: list[Finding] = []
    with _index_of(arguments) as index:
        for finding in check_disk(Files(), arguments.disk, index, progress):
            findings.append(finding)
            if not arguments.json:
                print(_printable(str(finding)))
    if arguments.json:
        _print_json([_finding_json(finding) for finding in findings])
    elif not findings:
        print("all well")
    return EXIT_FOUND if findings else EXIT_OK


def _disk_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("disk", type=Path, help="the disk's folder")
    parser.add_argument("--json", action="store_true", help="tell it to a program")


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    _disk_arguments(parser)
    parser.add_argument("recording", help="the recording's id")


#: Every command there is.
COMMANDS = (
    Command("ls", "list the recordings of a disk", _disk_arguments, _list_recordings),
    Command("show", "show one recording: blocks, gaps", _show_arguments, _show_recording),
    Command("check", "check a disk: index, XML, every cluster", _disk_arguments, _check),
)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(prog="axis-nvr", description="Look at a recorder's disks.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    :param arguments: those of the command line, if not given.
    :returns: the exit code.
    """
    parsed = make_parser().parse_args(arguments)
    try:
        code = parsed.run(parsed)
        sys.stdout.flush()
    except NvrError as error:
        print(f"axis-nvr: {error}", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
