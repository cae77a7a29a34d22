"""Processes under measurement: started on chosen cores, CPU and memory read from /proc."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
#: The load comes from one core, what is measured runs on the other.
MEASURED_CORES = {0}
LOAD_CORES = {1}


def start(
    command: Sequence[str], cores: Iterable[int] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a program, on these cores only if any are given."""
    wanted = set(cores) & os.sched_getaffinity(0) if cores else None
    process = subprocess.Popen(command, **options)
    if wanted:
        os.sched_setaffinity(process.pid, wanted)
    return process


def stop(processes: Iterable[subprocess.Popen[bytes]], timeout: float = 20.0) -> None:
    """Interrupt programs that we started, and wait for them; kill those that do not end."""
    running = list(processes)
    for process in running:
        with suppress(ProcessLookupError):
            process.send_signal(2)
    for process in running:
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Tell the CPU time that a process has used so far, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Tell how much memory of a process is resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def start_load(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the load generator, and tell its port once it listens."""
    command = [sys.executable, "-m", "tests.bench.load", "--folder", str(folder), *arguments]
    process = start(command, LOAD_CORES, stdout=subprocess.PIPE)
    return process, int(read_line(process.stdout).split()[1])


def read_line(stream: IO[bytes] | None) -> bytes:
    """Read one line of a program's output; an early end is an error."""
    line = stream.readline() if stream else b""
    if not line:
        raise RuntimeError("the program ended before it said anything")
    return line
