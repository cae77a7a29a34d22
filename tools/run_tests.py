"""Run everything a change must pass, and end with one line: ``N passed, N failed``.

Lint, format, types and documentation count as one test each, and so do each benchmark and the
fuzzing. The integration tests watch the clock and real peers, and wait most of the time: two halves
of them run side by side, and before all others, which are done meanwhile with what is left of the
processors. Generated examples are the same in each run, except with ``--all``, which goes looking
for new ones.
"""

import argparse
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PYTHON = [sys.executable, "-m"]
#: Where the last line is kept, for those who cannot see it for what stands behind it.
SUMMARY_FILE = Path(sys.prefix) / ".summary"
#: The home folder of the programs that are run, for users who have none that can be written to.
HOME = Path(sys.prefix) / ".home"
#: A step that takes longer is ended and has failed, in seconds. All take four minutes on two cores
#: that do nothing else; who has less may wait.
STEP_TIMEOUT = 1200
#: A benchmark or the fuzzing may take longer, in seconds: to make and remove a disk of half a
#: million blocks took a quarter of an hour and more on a busy machine.
LONG_STEP_TIMEOUT = 2700
#: How long each target of the fuzzing takes, in seconds.
FUZZ_SECONDS = 5
#: Packages of tests that are steps of their own.
NOT_UNIT = {"integration", "conformance", "bench", "fuzz"}
#: Kinds of steps that run when they are asked for.
ON_REQUEST = {"fuzz", "bench"}
#: Kinds of steps that run side by side: how nice each is to those before it.
SIDE_BY_SIDE = {"integration": 0, "conformance": 5, "unit": 19, "types": 19, "docs": 19}
#: The last line of trial, and a word with its number in it.
SUMMARY = re.compile(r"^(?:PASSED|FAILED)(?: \((?P<counts>.*)\))?$", re.MULTILINE)
#: What the fuzzer says of each module.
NOISE = re.compile(r"^INFO: Instrumenting .*\n", re.MULTILINE)
COUNT = re.compile(r"(\w+)=(\d+)")


class Result(NamedTuple):
    """What came of a step."""

    passed: int
    failed: int
    skipped: int = 0


class Running(NamedTuple):
    """A command that runs."""

    name: str
    process: "subprocess.Popen[bytes]"
    output: IO[bytes]
    begin: float


def home() -> str:
    """Give a folder for what programs keep of a user: GStreamer complains without one."""
    given = os.environ.get("HOME", "")
    if given and os.access(given, os.W_OK | os.X_OK):
        return given
    HOME.mkdir(exist_ok=True)
    return str(HOME)


def start(name: str, *command: str) -> Running:
    """Start a command."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "NO_COLOR": "1", "HOME": home()}
    output = tempfile.TemporaryFile()  # noqa: SIM115 - not a pipe: nobody reads until its end
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return Running(name, process, output, time.monotonic())


def finish(running: Running, timeout: float = STEP_TIMEOUT) -> tuple[int, str]:
    """Wait for a command, show its name, and its output if it fails."""
    process = running.process
    say(f"{running.name} ...", end=" ")
    ending = ""
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        code, ending = -9, f"\nended after {timeout:.0f} s\n"
    with running.output as file:
        file.seek(0)
        output = file.read().decode(errors="replace") + ending
    say(f"{'ok' if code == 0 else 'FAILED'} ({time.monotonic() - running.begin:.0f} s)")
    if code:  # of many tests, those that failed
        say(output[max(0, output.find("\n====")) :])
    return code, output


def run(name: str, *command: str, timeout: float = STEP_TIMEOUT) -> tuple[int, str]:
    """Run a command, show its name, and its output if it fails."""
    return finish(start(name, *command), timeout)


class Step:
    """A command, and how what came of it is read; it may go on while others do.

    :param read: makes a result of the exit code and the output.
    """

    def __init__(self, name: str, read: Callable[[int, str], Result], *command: str) -> None:
        self._name = name
        self._read = read
        self._command = command
        self._running: Running | None = None

    def begin(self, niceness: int) -> None:
        """Start it; calling it waits for its end."""
        if self._running is None:
            self._running = start(self._name, "nice", "-n", str(niceness), *self._command)

    def __call__(self) -> Result:
        """Run it, or wait for its end if it was begun."""
        self.begin(0)
        assert self._running is not None
        return self._read(*finish(self._running))

    def end(self) -> None:
        """Leave nothing of it running."""
        if self._running is not None and self._running.process.poll() is None:
            os.killpg(self._running.process.pid, signal.SIGKILL)


def check(name: str, *command: str) -> Step:
    """Make a step that passes or fails as a whole."""
    return Step(name, lambda code, output: Result(int(code == 0), int(code != 0)), *command)


def report(name: str, *command: str) -> Callable[[], Result]:
    """Make a step that may take long, and whose output is what one wants to see."""

    def step() -> Result:
        code, output = run(name, *command, timeout=LONG_STEP_TIMEOUT)
        if code == 0:
            say(NOISE.sub("", output))
        return Result(int(code == 0), int(code != 0))

    return step


def fuzz() -> Result:
    """Fuzz every target for a moment, where the fuzzer is installed."""
    if importlib.util.find_spec("atheris") is None:
        say("fuzzing ... skipped: atheris is not installed")
        return Result(0, 0, 1)
    return report("fuzzing", *PYTHON, "tests.fuzz.run", "--seconds", str(FUZZ_SECONDS))()


def trial(name: str, *arguments: str) -> Step:
    """Make a step out of many tests."""
    return Step(name, counts, *PYTHON, "twisted.trial", "--reporter=bwverbose", *arguments)


def counts(code: int, output: str) -> Result:
    """Read trial's summary; without one, or against the exit code, something failed."""
    summaries = list(SUMMARY.finditer(output))
    found = dict(COUNT.findall(summaries[-1]["counts"] or "")) if summaries else {}
    number = {word: int(figure) for word, figure in found.items()}
    failed = sum(number.get(word, 0) for word in ("failures", "errors", "unexpectedSuccesses"))
    passed = number.get("successes", 0) + number.get("expectedFailures", 0)
    if code != 0 or not summaries:
        failed = max(failed, 1)
    return Result(passed, failed, number.get("skips", 0))


def say(text: str, end: str = "\n") -> None:
    """Write to the terminal at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def unit_tests() -> list[str]:
    """Name every test module or package that talks to no real peer."""
    names = {path.name.removesuffix(".py") for path in (ROOT / "tests").glob("test_*.py")}
    names |= {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    return [f"tests.{name}" for name in sorted(names - NOT_UNIT)]


def integration_tests() -> list[list[str]]:
    """Name the modules that talk to real peers, in two halves that take about as long.

    Two modules of different halves have nothing on this machine in common: no group, no fixed port,
    no name of a network.
    """
    names = sorted(path.stem for path in (ROOT / "tests/integration").glob("test_*.py"))
    modules = [f"tests.integration.{name}" for name in names]
    middle = len(modules) // 2
    return [modules[:middle], modules[middle:]]


def benchmarks() -> list[str]:
    """Name the modules of benchmarks."""
    return [f"tests.bench.{path.stem}" for path in sorted((ROOT / "tests/bench").glob("bench_*"))]


def steps(*, is_whole: bool) -> dict[str, list[Callable[[], Result]]]:
    """Lay out all steps by kind, in order.

    :param is_whole: whether the documentation has the pages of the modules: they take minutes.
    """
    sphinx = [*PYTHON, "sphinx", "-W", "--keep-going", "-q", "-j", "2", "-b", "html"]
    pages = ["docs", "docs/_build/html"]
    if not is_whole:
        sphinx += ["-t", "written"]
        pages = ["docs", "docs/_build/written"]
    return {
        "lint": [
            check("ruff check", *PYTHON, "ruff", "check", "--quiet", "."),
            check("ruff format", *PYTHON, "ruff", "format", "--quiet", "--check", "."),
        ],
        "integration": [
            trial(f"integration tests, {which} half", *modules)
            for which, modules in zip(("first", "second"), integration_tests(), strict=True)
        ],
        "conformance": [trial("conformance tests", "tests.conformance")],
        "unit": [trial("unit tests", "--jobs=2", *unit_tests())],
        "types": [check("mypy", *PYTHON, "mypy")],
        "docs": [check("docs", *sphinx, *pages)],
        "fuzz": [fuzz],
        "bench": [report(name, *PYTHON, name) for name in benchmarks()],
    }


def begin_all(laid_out: dict[str, list[Callable[[], Result]]], only: str | None) -> None:
    """Begin all steps that run side by side and have not begun."""
    for kind, niceness in SIDE_BY_SIDE.items():
        for step in laid_out[kind]:
            if isinstance(step, Step) and only in (None, kind):
                step.begin(niceness)


def main() -> int:
    """Do as the command line says; the exit code says whether all passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", choices=list(steps(is_whole=True)), help="this kind of step and no other"
    )
    parser.add_argument("--all", action="store_true", help="fuzzing and benchmarks too")
    arguments = parser.parse_args()
    if not arguments.all:  # examples are drawn the same each time: a red test speaks of the change
        os.environ.setdefault("CI", "true")  # where hypothesis looks
    else:
        os.environ["AXIS_NVR_TEST_ALL"] = "1"  # where tests/storage/faults/effort.py looks
    # A shell has it ignored by what it starts in the background, and so by all programs below,
    # which tests end by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    laid_out = steps(is_whole=arguments.all or arguments.only == "docs")
    try:
        return run_all(laid_out, arguments)
    finally:
        for step in (step for todo in laid_out.values() for step in todo):
            if isinstance(step, Step):
                step.end()


def run_all(laid_out: dict[str, list[Callable[[], Result]]], arguments: argparse.Namespace) -> int:
    """Run the steps asked for, and say what came of them."""
    passed = failed = skipped = 0
    for kind, todo in laid_out.items():
        if arguments.only not in (None, kind):
            continue
        if kind in ON_REQUEST and not (arguments.all or arguments.only):
            continue
        if kind in SIDE_BY_SIDE:
            begin_all(laid_out, arguments.only)
        for step in todo:
            result = step()
            passed, failed = passed + result.passed, failed + result.failed
            skipped += result.skipped
    if skipped:
        say(f"{skipped} skipped")
    summary = f"{passed} passed, {failed} failed"
    SUMMARY_FILE.write_text(summary + "\n", encoding="utf-8")
    say(summary)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
