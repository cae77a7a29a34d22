"""What a recorder does not load before it is asked for: each module costs memory for good.

What is loaded late is what clients ask for or the configuration turns on, never what records: an
import reads files, and a disk that fails must not stop a recording that could go on. Such an import
stands in the function that needs it, with what it takes.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

#: Modules that bring others with them, and who wants them. Bonjour takes 3.1 MiB, notifications by
#: mail and HTTP 2.0, MP4 0.4, stream_zip 2.1.
LATE = {
    "axis_nvr.protocols.bonjour": "who announces by Bonjour",
    "axis_nvr.media.mp4": "an export as MP4",
    "axis_nvr.services.actions.notification_http": "an action that sends HTTP",
    "axis_nvr.services.actions.notification_smtp": "an action that sends mail",
    "axis_nvr.services.export_seal": "an export as MP4",
    "axis_nvr.simulator": "the demonstration",
    "axis_nvr.wire.isobmff": "an export as MP4",
    "email.policy": "mail",
    "stream_zip": "an encrypted export",
    "twisted.application.internet": "clients that Twisted reconnects",
    "twisted.mail": "mail",
    "twisted.web.client": "HTTP",
    "zeroconf": "Bonjour",
}

_ROOT = Path(__file__).parents[1]
_LIST = [sys.executable, "-c", "import sys, axis_nvr.tap; print(*sys.modules)"]


class LateImportTests(SynchronousTestCase):
    def test_is_not_loaded_with_the_recorder(self) -> None:
        """A recorder that has just been loaded has loaded nothing that it may never need."""
        listing = subprocess.run(_LIST, cwd=_ROOT, capture_output=True, check=True)
        loaded = set(listing.stdout.decode().split())
        self.assertIn("axis_nvr.assembly.recorder", loaded)
        self.assertEqual(sorted(loaded & LATE.keys()), [])

    def test_is_there_to_be_loaded(self) -> None:
        """A name in the list is that of a module: one that was renamed would be held by nothing."""
        self.assertEqual([name for name in LATE if find_spec(name) is None], [])
