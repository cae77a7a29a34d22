"""How the storage starts its threads: one seam, so that tests need none."""

import threading
from collections.abc import Callable
from typing import Protocol


class StartThread(Protocol):
    """Starts a thread."""

    def __call__(self, run: Callable[[], None], name: str) -> None:
        """Call `run` in a thread of this name."""


def start_thread(run: Callable[[], None], name: str) -> None:
    """Start a thread that does not keep the process alive."""
    threading.Thread(target=run, name=name, daemon=True).start()
