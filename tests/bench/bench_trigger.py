"""From a trigger to a recording that has begun, beside the recording of some cameras.

Run as ``python -m tests.bench.bench_trigger [--cameras N] [--triggers N]``. The recorder records
all cameras continuously, and holds a pre-buffer of 5 s for a rule on each. A rule after the other
is triggered; measured is the time until its recording has been opened on the disk, has its id, and
the groups from before are handed to the disk. The yardstick is the same disk a moment later: one
``fdatasync`` of a group of pictures.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from axis_nvr.assembly.foundation import Release
from axis_nvr.assembly.recorder import make_recorder
from axis_nvr.config import load_config
from axis_nvr.services.groups import NoGroup
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.triggered import Armed, TriggeredOrder, TriggeredRecordings
from tests.bench.processes import MEASURED_CORES, read_line, start, start_load, stop

reactor: Any = installed_reactor
CAMERAS = 16
TRIGGERS = 100
PRE_SECONDS = 5.0
#: Until every pre-buffer is full.
SETTLE_SECONDS = 10.0
BETWEEN_SECONDS = 0.15
GROUP_BYTES = 1_000_000
BUDGET_MS = 50


class NoGroups:
    """A recorder without recording groups."""

    def __init__(self) -> None:
        self.followers: list[Any] = []

    def recordable(self, group_id: str) -> Any:
        raise NoGroup(group_id)


class Bench:
    """The recorder in this process, and what triggers it."""

    def __init__(self, folder: Path, port: int, cameras: int, triggers: int) -> None:
        self._folder = folder
        self._triggers = triggers
        config = folder / "nvr.toml"
        texts = [
            f'[[camera]]\nid = "c{number}"\nurl = "rtsp://127.0.0.1:{port}/{number}"\n'
            f'[[recording]]\ndisk = "HDD_DISK"\noptions = "device=c{number}"\n'
            for number in range(cameras)
        ]
        switched_off = 'http = "none"\nhttps = "none"\nrtsp = "none"\nno_discovery = true\n'
        config.write_text(switched_off + "".join(texts))
        self._service = MultiService()
        loaded = load_config(config, {}, folder)
        release = Release("1", "Feb 14 2026 13:08")
        for part in make_recorder(reactor, loaded, release, lambda line: None):
            part.setServiceParent(self._service)
        (self._recorder,) = [part for part in self._service if isinstance(part, Recorder)]
        groups: Any = NoGroups()
        self._triggered = TriggeredRecordings(self._recorder.recordings, groups, reactor, time.time)
        self._cameras = cameras

    async def run(self) -> dict[str, Any]:
        """Trigger as often as asked for; what came of it, times in milliseconds."""
        self._service.startService()
        self._triggered.start()
        rules = [self._arm(number) for number in range(self._cameras)]
        while not all(it.status.state == "playing" for it in self._recorder.report.streams):
            await deferLater(reactor, 0.1)
        await deferLater(reactor, SETTLE_SECONDS)
        begun: list[float] = []
        syncs: list[float] = []
        for number in range(self._triggers):
            begun.append(await self._trigger(rules[number % len(rules)]))
            syncs.append(await deferToThread(self._sync))
            await deferLater(reactor, BETWEEN_SECONDS)
        report = self._recorder.report
        result = {
            "begun": begun,
            "syncs": syncs,
            "sessions": len(report.streams),
            "lost": sum(it.job.counts.dropped_gops for it in report.recordings),
        }
        self._triggered.halt()
        await self._service.stopService()
        return result

    def _arm(self, number: int) -> Armed:
        options = f"device=c{number}"
        order = TriggeredOrder("HDD_DISK", options, PRE_SECONDS, 0, f"rule {number}", "bench")
        return self._triggered.arm(order)

    async def _trigger(self, armed: Armed) -> float:
        before = time.perf_counter()
        armed.start(int(time.time() * 1e6))
        run = self._recorder.recordings.runs[-1]
        await run.named()
        took = time.perf_counter() - before
        armed.stop(int(time.time() * 1e6))
        return took * 1000

    def _sync(self) -> float:
        with (self._folder / "yardstick").open("wb") as file:
            before = time.perf_counter()
            file.write(bytes(GROUP_BYTES))
            file.flush()
            os.fdatasync(file.fileno())
            return (time.perf_counter() - before) * 1000


def measured(arguments: argparse.Namespace) -> None:
    """Be the process that is measured."""
    bench = Bench(arguments.folder, arguments.port, arguments.cameras, arguments.triggers)
    results: list[Any] = []

    def ended(result: Any) -> None:
        results.append(result)
        reactor.stop()

    def began() -> None:
        Deferred.fromCoroutine(bench.run()).addBoth(ended)

    reactor.callWhenRunning(began)
    reactor.run()
    (result,) = results
    if not isinstance(result, dict):
        result.raiseException()
    print(json.dumps(result), flush=True)


def measure(work: Path, cameras: int, triggers: int) -> dict[str, Any]:
    """Run load and recorder, each on its core."""
    seconds = SETTLE_SECONDS + 60 + triggers
    load, port = start_load(work, "--seconds", str(seconds))
    command = [sys.executable, "-m", "tests.bench.bench_trigger", "--folder", str(work)]
    command += ["--port", str(port), "--cameras", str(cameras), "--triggers", str(triggers)]
    process = start(command, MEASURED_CORES, stdout=subprocess.PIPE)
    try:
        result: dict[str, Any] = json.loads(read_line(process.stdout))
        process.wait(20)
    finally:
        stop([process, load])
    return result


def main() -> None:
    """Measure, and print the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=CAMERAS)
    parser.add_argument("--triggers", type=int, default=TRIGGERS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.port:
        measured(arguments)
        return
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.processor()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as work:
        result = measure(Path(work), arguments.cameras, arguments.triggers)
    begun, syncs = sorted(result["begun"]), sorted(result["syncs"])
    print(
        f"trigger to recording begun, {arguments.cameras} cameras recorded beside it, "
        f"{len(begun)} triggers: median {median(begun):.1f} ms, "
        f"9 of 10 {begun[len(begun) * 9 // 10]:.1f} ms, worst {begun[-1]:.1f} ms; "
        f"budget {BUDGET_MS} ms\n"
        f"one fdatasync of {GROUP_BYTES // 1_000_000} MB: median {median(syncs):.1f} ms, "
        f"worst {syncs[-1]:.1f} ms\n"
        f"sessions {result['sessions']}, groups lost {result['lost']}"
    )


if __name__ == "__main__":
    main()
