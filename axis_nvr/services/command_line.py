"""The command line of a program that twistd starts: each mistake is one sentence and exit code 1.

Twisted answers a mistake with the whole help, and the sentence below it.
"""

from collections.abc import Sequence
from typing import ClassVar, NoReturn

from twisted.python import usage

from axis_nvr.services.foreground import complain


class CommandLine(usage.Options):
    """Options, and nothing else beside them.

    :cvar program: its name, for messages.
    """

    program: ClassVar[str]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line.

        :raises SystemExit: something in it cannot be used; it was said what.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            refuse(self.program, error)

    def parseArgs(self, *words: str) -> None:
        """Refuse what is no option."""
        if words:
            raise usage.UsageError(f"{words[0]!r} is no option; --help tells which there are")


def refuse(program: str, error: BaseException) -> NoReturn:
    """End the process with one sentence."""
    complain(f"{program}: {' '.join(str(error).split())}")
    raise SystemExit(1)
