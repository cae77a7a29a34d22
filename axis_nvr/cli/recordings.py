"""``axis-nvr ls`` and ``axis-nvr show``: the recordings of a disk."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from axis_nvr.cli.command import (
    EXIT_FOUND,
    EXIT_OK,
    Command,
    disk_arguments,
    duration_words,
    index_of,
    print_json,
    print_table,
    printable,
    time_words,
    utc_or_none,
)
from axis_nvr.cli.lock import known_locks, lock_json, print_locks
from axis_nvr.errors import WireError
from axis_nvr.media.units import Gap
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import BlockRow, Index, RecordingRow
from axis_nvr.storage.layout import block_file, recording_folder
from axis_nvr.words import size_words


def _blocks(index: Index, disk: Path, recording_id: str) -> list[BlockRow]:
    """Give a recording's blocks; one that is being written is as large as its file is by now."""
    return [
        replace(block, size_bytes=_file_size(disk, block)) if block.stop_us is None else block
        for block in index.blocks(recording_id)
    ]


def _file_size(disk: Path, block: BlockRow) -> int:
    files = Files()
    try:
        folder = recording_folder(disk, block.recording_id)
        fd = files.open_read(block_file(folder, block.block_id))
    except (OSError, WireError):
        return block.size_bytes
    try:
        return files.size(fd)
    finally:
        files.close(fd)


def _recording_json(
    row: RecordingRow, blocks: Sequence[BlockRow], *, locked: bool
) -> dict[str, Any]:
    return {
        "recordingid": row.recording_id,
        "starttime": utc_or_none(row.start_us),
        "stoptime": utc_or_none(row.stop_us),
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
        "locked": locked,
    }


def _block_json(block: BlockRow) -> dict[str, Any]:
    return {
        "blockid": block.block_id,
        "path": block.path,
        "starttime": utc_or_none(block.start_us),
        "stoptime": utc_or_none(block.stop_us),
        "size": block.size_bytes,
        "status": _status(block),
    }


def _gap_json(gap: Gap) -> dict[str, Any]:
    return {
        "starttime": utc_or_none(gap.start_us),
        "stoptime": utc_or_none(gap.end_us),
        "reason": gap.reason.value,
        "lostpackets": gap.lost_packets,
        "detail": gap.detail,
    }


def _status(block: BlockRow) -> str:
    if block.unfinished is not None:
        return "unfinished"
    return "recording" if block.stop_us is None else "complete"


def _list_recordings(arguments: argparse.Namespace) -> int:
    with index_of(arguments) as index:
        found = [
            (row, _blocks(index, arguments.disk, row.recording_id)) for row in index.recordings()
        ]
        locked = {lock.recording_id for lock in known_locks(index)}
    if arguments.json:
        print_json(
            [
                _recording_json(row, blocks, locked=row.recording_id in locked)
                for row, blocks in found
            ]
        )
        return EXIT_OK
    titles = ("RECORDING", "START", "DURATION", "BLOCKS", "SIZE", "LOCKED", "TRIGGER", "DEVICE")
    print_table(
        titles,
        (
            (
                row.recording_id,
                time_words(row.start_us),
                duration_words(row.start_us, row.stop_us)
                if row.stop_us is not None
                else "recording",
                str(len(blocks)),
                size_words(sum(block.size_bytes for block in blocks)),
                "locked" if row.recording_id in locked else "-",
                row.event,
                row.device,
            )
            for row, blocks in found
        ),
    )
    return EXIT_OK


def _show_recording(arguments: argparse.Namespace) -> int:
    with index_of(arguments) as index:
        row = next(index.recordings(arguments.recording), None)
        if row is None:
            words = f"{arguments.disk}: there is no recording {arguments.recording!r}"
            print(f"axis-nvr: {words}; ls tells which there are", file=sys.stderr)
            return EXIT_FOUND
        blocks = _blocks(index, arguments.disk, row.recording_id)
        gaps = list(index.gaps(row.recording_id))
        locks = known_locks(index, row.recording_id)
    told = _recording_json(row, blocks, locked=bool(locks))
    if arguments.json:
        told["locks"] = [lock_json(lock) for lock in locks]
        told["blocks"] = [_block_json(block) for block in blocks]
        told["gaps"] = [_gap_json(gap) for gap in gaps]
        print_json(told)
        return EXIT_OK
    for name, value in told.items():
        if value not in (None, ""):
            text = size_words(value) if name == "size" else printable(str(value))
            print(f"{name + ':':15} {text}")
    print()
    _print_blocks(blocks)
    if gaps:
        print()
        _print_gaps(gaps)
    if locks:
        print()
        print_locks(locks, with_recording=False)
    return EXIT_OK


def _print_blocks(blocks: Iterable[BlockRow]) -> None:
    print_table(
        ("BLOCK", "START", "DURATION", "SIZE", "STATUS"),
        (
            (
                block.block_id,
                time_words(block.start_us),
                duration_words(block.start_us, block.stop_us),
                size_words(block.size_bytes),
                _status(block),
            )
            for block in blocks
        ),
    )


def _print_gaps(gaps: Iterable[Gap]) -> None:
    print_table(
        ("GAP", "UNTIL", "REASON", "LOST", "DETAIL"),
        (
            (
                time_words(gap.start_us),
                time_words(gap.end_us),
                gap.reason,
                str(gap.lost_packets),
                gap.detail,
            )
            for gap in gaps
        ),
    )


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    disk_arguments(parser)
    parser.add_argument("recording", help="the recording's id")


LS = Command("ls", "list the recordings of a disk", disk_arguments, _list_recordings)
SHOW = Command("show", "show one recording: blocks, gaps, locks", _show_arguments, _show_recording)
