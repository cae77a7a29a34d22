"""Readers of a disk that are not ours, and our own check, as people run it."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase


def find_nothing_wrong(test: SynchronousTestCase, disk: Path) -> None:
    """Open every block with ``ffmpeg`` and ``mkvinfo``, and run ``axis-nvr check``."""
    blocks = sorted(disk.rglob("*.mkv"))
    test.assertTrue(blocks)
    for block in blocks:
        test.assertEqual(complaints(block), "", block)
    command = [sys.executable, "-m", "axis_nvr.cli.main", "check", str(disk)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    test.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


def complaints(block: Path) -> str:
    """What ``ffmpeg``, which decodes all of it, and ``mkvinfo`` have to say against a block."""
    ffmpeg = ["ffmpeg", "-v", "error", "-xerror", "-i", str(block), "-f", "null", "-"]
    decoded = subprocess.run(ffmpeg, capture_output=True, text=True, check=False)
    mkvinfo = ["mkvinfo", "--all", str(block)]
    shown = subprocess.run(mkvinfo, capture_output=True, text=True, check=False)
    found = [line for line in shown.stdout.splitlines() if "Error" in line or "Unknown" in line]
    codes = f"exit codes {decoded.returncode}, {shown.returncode}: "
    words = decoded.stderr + "\n".join(found)
    return codes + words if words or decoded.returncode or shown.returncode else ""
