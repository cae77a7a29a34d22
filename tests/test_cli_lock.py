"""``axis-nvr lock``, ``unlock`` and ``locks``: on a disk that is in use, and what is refused."""

import json
from pathlib import Path

from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from tests.storage.making import START_US, Bench, video_gop
from tests.storage.test_asking import answering
from tests.test_cli import RECORDING, CliCase


class LockTests(CliCase):
    def lock(self, *arguments: str) -> str:
        """Lock the recording; give the lock's name."""
        options = ("--json", "--reason", "theft", "--owner", "Ann")
        code, output, errors = self.call("lock", self.disk, RECORDING, *options, *arguments)
        self.assertEqual((code, errors), (0, ""))
        token = json.loads(output)["locktoken"]
        assert isinstance(token, str)
        return token

    def test_lock_and_unlock(self) -> None:
        """A lock is told by all that lists recordings, until it is taken away."""
        self.assertEqual(self.call("locks", self.disk), (0, "", ""))
        token = self.lock()
        for command in (("locks", self.disk), ("show", self.disk, RECORDING)):
            code, output, _ = self.call(*command)
            self.assertEqual(code, 0)
            for word in (token, "theft", "Ann", "beginning", "end"):
                self.assertIn(word, output)
        self.assertRegex(self.call("ls", self.disk)[1], r"LOCKED(.|\n)* locked ")
        code, output, _ = self.call("unlock", self.disk, token)
        self.assertEqual((code, RECORDING in output), (0, True))
        self.assertEqual(self.call("locks", self.disk), (0, "", ""))
        self.assertNotIn(" locked ", self.call("ls", self.disk)[1])

    def test_for_programs(self) -> None:
        """Locks as JSON: their spans in UTC, rounded out to groups."""
        token = self.lock("--from", "2024-05-06 07:08:10", "--to", "2024-05-06T07:08:10.5Z")
        (told,) = json.loads(self.call("locks", "--json", self.disk)[1])
        self.assertEqual(told["locktoken"], token)
        self.assertEqual(told["starttime"], "2024-05-06T07:08:09.012345Z")
        self.assertEqual(told["stoptime"], "2024-05-06T07:08:11.012345Z")
        shown = json.loads(self.call("show", "--json", self.disk, RECORDING)[1])
        self.assertEqual((shown["locked"], shown["locks"]), (True, [told]))
        self.assertTrue(json.loads(self.call("ls", "--json", self.disk)[1])[0]["locked"])

    def test_what_is_refused(self) -> None:
        """Each mistake has its sentence, and an exit code that says so."""
        for words, code, arguments in (
            ("no recording 'other'", 2, ("lock", self.disk, "other", "--reason", "x")),
            ("reason", 2, ("lock", self.disk, RECORDING)),
            ("reason must be", 2, ("lock", self.disk, RECORDING, "--reason", " ")),
            ("no UTC time", 2, ("lock", self.disk, RECORDING, "--reason", "x", "--to", "noon")),
            (
                "nothing is recorded",
                2,
                ("lock", self.disk, RECORDING, "--reason", "x", "--from", "2030-01-01T00:00:00Z"),
            ),
            ("No such file or directory", 2, ("lock", self.mktemp(), RECORDING, "--reason", "x")),
            ("no lock 'x'", 1, ("unlock", self.disk, "x")),
        ):
            found, output, errors = self.call(*arguments)
            self.assertEqual((found, output), (code, ""), words)
            self.assertIn(words, errors)

    def test_an_index_of_somebody_else(self) -> None:
        """A disk from a camera has no locks, and says so."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        bench.disk.place.index._connection.execute("DROP TABLE nvr_locks")
        bench.disk.stop()
        self.assertEqual(self.call("locks", str(bench.folder)), (0, "", ""))

    def test_beside_a_recorder(self) -> None:
        """A disk that is being recorded to can be locked; the recorder's own index knows of it."""
        bench = Bench(self.mktemp(), is_told=False)
        bench.disk.start()
        recording = bench.open()
        bench.write(recording, video_gop(START_US))
        arguments = ("lock", str(bench.folder), recording.recording_id, "--reason", "x")
        with answering(bench):
            code, _, errors = self.call(*arguments)
        self.assertEqual((code, errors), (0, ""))
        query = "SELECT COUNT(*) FROM nvr_locks"
        self.assertEqual(bench.disk.place.index.first(query), (1,))
        bench.close(recording)
        bench.disk.stop()
        index = Index.open(bench.files, Path(bench.folder) / INDEX_NAME, 0)
        self.assertEqual(index.first(query), (1,))
        index.close()
