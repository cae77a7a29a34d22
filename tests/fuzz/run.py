"""Fuzz every target for a while, with coverage as the guide.

    python -m tests.fuzz.run [--seconds 10] [NAME ...]

Each target runs in a process of its own, bounded in time, memory (512 MiB) and time for one input
(5 s). An input that breaks a target is left in the working folder as ``crash-<digest>``; run
``python -m tests.fuzz.run --input FILE NAME`` to see what it does.
"""

import argparse
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["axis_nvr"]):
    from axis_nvr.errors import NvrError
    from tests.fuzz.targets import TARGETS

MAX_INPUT_BYTES = 4096
MAX_MEMORY_MIB = 512
MAX_INPUT_SECONDS = 5


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz one target in this process; does not return."""
    target = TARGETS[name]

    def take(data: bytes) -> None:
        with suppress(NvrError):
            target(data)

    atheris.Setup([sys.argv[0], *options], take)
    atheris.Fuzz()


def fuzz_in_process(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; tell whether it held."""
    limits = [f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}"]
    limits += [f"-rss_limit_mb={MAX_MEMORY_MIB}", f"-timeout={MAX_INPUT_SECONDS}"]
    command = [sys.executable, "-m", "tests.fuzz.run", "--here", name, "--", *limits]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    last = [line for line in done.stderr.splitlines() if line.startswith(("Done", "#"))][-1:]
    sys.stdout.write(f"{name:18} {'held' if done.returncode == 0 else 'BROKE'}  {''.join(last)}\n")
    sys.stdout.flush()
    if done.returncode:
        sys.stdout.write(done.stderr[-4000:] + "\n")
    return done.returncode == 0


def main() -> None:
    """Fuzz what is asked for; exit code 1 if anything broke."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=10, help="how long each target takes")
    parser.add_argument("--input", type=Path, help="run one input instead")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments, options = parser.parse_known_args()
    names = arguments.names or list(TARGETS)
    if arguments.input:
        TARGETS[names[0]](arguments.input.read_bytes())
    elif arguments.here:
        fuzz(names[0], names[1:] + options)
    else:
        held = [fuzz_in_process(name, arguments.seconds) for name in names]
        sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
