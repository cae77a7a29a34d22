"""The command line and how the recorder is put together from it."""

import sys
import time
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr import tap
from axis_nvr.config import DEFAULT_ENDPOINTS


def parse(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


class OptionsTests(SynchronousTestCase):
    def test_every_option_of_the_design(self) -> None:
        """All options are there, and are the keys of the configuration file."""
        options = parse(
            "--state-dir=state", "--disk", "A=a", "--disk", "B=b", "--http", "none",
            "--https=ssl:1", "--rtsp=tcp:2", "--rtsps=ssl:3", "--serial=ACCC8E000001",
            "--no-discovery", "--demo", "--config", "nvr.toml",
        )  # fmt: skip
        self.assertEqual(
            options.given(),
            {
                "state_dir": "state",
                "disk": ["A=a", "B=b"],
                "http": "none",
                "https": "ssl:1",
                "rtsp": "tcp:2",
                "rtsps": "ssl:3",
                "serial": "ACCC8E000001",
                "no_discovery": True,
                "demo": True,
            },
        )
        self.assertEqual(options["config"], "nvr.toml")

    def test_nothing_given(self) -> None:
        """What is not given leaves the file its say."""
        self.assertEqual(parse().given(), {})

    def test_the_help_tells_all(self) -> None:
        """Each option stands in the help with its default."""
        text = str(parse())
        for word in ("--config", "--state-dir", "--disk", "--serial", "--no-discovery", "--demo"):
            self.assertIn(word, text)
        for key, default in DEFAULT_ENDPOINTS.items():
            self.assertIn(f"--{key}=", text)
            self.assertIn(default, text)

    def test_the_plugin(self) -> None:
        """`twistd` knows the recorder by its name, and loads it only when it is asked for."""
        plugins: list[Any] = list(getPlugins(IServiceMaker))
        (maker,) = [each for each in plugins if each.tapname == "axis-nvr"]
        self.assertEqual(maker.module, "axis_nvr.tap")
        self.assertIs(maker.options, tap.Options)


class RefusalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.said = StringIO()
        self.patch(sys, "__stderr__", self.said)

    def test_refusing_is_one_sentence_and_exit_code_1(self) -> None:
        """A configuration that cannot be used ends the process."""
        options = parse("--config", str(self.folder / "absent.toml"))
        refusal = self.assertRaises(SystemExit, tap.makeService, options)
        self.assertEqual(refusal.code, 1)
        self.assertRegex(self.said.getvalue(), r"^axis-nvr: --config: .*absent.toml cannot be rea")
        self.assertEqual(self.said.getvalue().count("\n"), 1)

    def test_a_command_line_that_cannot_be_read(self) -> None:
        """What is not known, lacks its value or is no option is one sentence too, not the help."""
        for words, sentence in (
            (("--colour=red",), "axis-nvr: option --colour not recognized"),
            (("--http",), "axis-nvr: option --http requires argument"),
            (("--demo=1",), "axis-nvr: option --demo must not have an argument"),
            (("demo",), "axis-nvr: 'demo' is no option; --help tells which there are"),
        ):
            self.said.truncate(self.said.seek(0))
            refusal = self.assertRaises(SystemExit, parse, *words)
            self.assertEqual((refusal.code, self.said.getvalue()), (1, f"{sentence}\n"))


class ClockTests(SynchronousTestCase):
    def test_the_reactor_is_given_a_clock_that_is_never_set(self) -> None:
        """What is scheduled from then on does not depend on the time of day."""
        reactor: Any = MemoryReactorClock()
        tap.run_on_monotonic_clock(reactor)
        self.assertIs(reactor.seconds, time.monotonic)

    def test_not_while_something_waits(self) -> None:
        """A call that is due by the one clock would never come by the other."""
        reactor: Any = MemoryReactorClock()
        reactor.callLater(1, lambda: None)
        self.assertRaises(AssertionError, tap.run_on_monotonic_clock, reactor)
