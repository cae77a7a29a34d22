"""Large pieces are made of memory that is there, and free memory goes back to the system."""

import ctypes
import json
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import axis_nvr
from axis_nvr.services.memory import TRIM_SECONDS, Trimming, find_trim, keep_large_pieces

#: Where the package is imported from.
PROJECT = Path(axis_nvr.__file__).parents[1]
#: Makes and drops pieces of a megabyte, as pictures come and go, and tells the page faults of a
#: round of them and what is resident in the end; called in a process of its own, since what malloc
#: is told once holds for all of it.
ROUNDS = """
import json, resource, sys
from axis_nvr.services.memory import find_trim, keep_large_pieces

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def faults_of_a_round():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        pieces = [b"\\1" * (1 << 20) for _ in range(8)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if "keep" in sys.argv:
    keep_large_pieces()
faults_of_a_round()
faults, kept = faults_of_a_round(), resident()
find_trim()()
print(json.dumps({"faults": faults, "given_back": kept - resident()}))
"""


def rounds(*arguments: str) -> dict[str, int]:
    """What the process above tells."""
    command = [sys.executable, "-c", ROUNDS, *arguments]
    told: dict[str, int] = json.loads(subprocess.check_output(command, cwd=PROJECT))
    return told


class MallocTests(SynchronousTestCase):
    def test_large_pieces_are_kept_until_trimmed(self) -> None:
        """Pieces of eight megabytes come and go without the kernel; a trim gives them back."""
        if platform.libc_ver()[0] != "glibc":
            raise SkipTest("tells what is asked of glibc")
        told = rounds("keep")
        self.assertLess(told["faults"], 1000)
        self.assertGreater(told["given_back"], 7 << 20)
        self.assertGreater(rounds()["faults"], 20_000, "glibc does so of its own accord by now")

    def test_other_libraries(self) -> None:
        """Where the C library has nothing of the kind, nothing happens."""
        self.patch(ctypes, "CDLL", lambda _: SimpleNamespace())
        self.assertIsNone(find_trim()())
        keep_large_pieces()

    def test_now_and_then(self) -> None:
        """What the start left goes back at once, then what a while has left, until it stops."""
        calls: list[int] = []

        def trim(spared_bytes: int) -> None:
            calls.append(spared_bytes)

        self.patch(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=trim))
        clock = Clock()
        trimming = Trimming(clock)
        trimming.startService()
        self.assertEqual(calls, [0])
        clock.advance(TRIM_SECONDS)
        self.assertEqual(calls, [0, 0])
        trimming.stopService()
        self.assertEqual(clock.getDelayedCalls(), [])
