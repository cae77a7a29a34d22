"""The HTTP server: alive, readable by people and by programs, safe to look at."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.camera_events.report import CameraEventsReport
from axis_nvr.services.status import ReachReport, RuleReport
from axis_nvr.services.stream_errors import ErrorKind, StreamError
from axis_nvr.services.stream_status import StreamState
from axis_nvr.storage.housekeeping import ChoreReport, Progress
from axis_nvr.vapix.pages import Pages
from axis_nvr.vapix.status_page import find_problems, status_page
from tests.vapix.reports import FRONT, ILL, NOTHING, NOW_US, STARTING, WELL
from tests.vapix.serving import ServingTestCase

REFUSAL = StreamError(ErrorKind.REFUSED, "no <such> topic", NOW_US)


class Text(HTMLParser):
    """The words of a page and the names of its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.elements: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} is closed out of order"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


class PagesTests(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.looks: list[str] = []
        self.serve(*Pages(lambda: WELL, self.look).endpoints())

    async def look(self) -> None:
        self.looks.append("looked")

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        answered = self.ask(path, "vera", method=method)
        headers = {name: values[0] for name, values in answered.headers.items()}
        return answered.status, headers, answered.text

    def test_health(self) -> None:
        """A recorder that answers says so, in three bytes."""
        code, headers, body = self.get("/healthz")
        self.assertEqual((code, body), (200, "ok\n"))
        self.assertTrue(headers["content-type"].startswith("text/plain"))

    def test_the_page(self) -> None:
        """People see cameras, state, bitrate, frame rate, losses, reconnects, recordings, disks."""
        code, headers, body = self.get("/")
        self.assertEqual(code, 200)
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        text = Text(body).text
        for words in (
            "Recording: 2 recordings of 2 streams",
            "front", "192.168.0.90", "playing", "H.264 1920×1080", "AAC 48 kHz, 2 channels",
            "4.12 Mbit/s", "25.0", "12", "0.0024 %", "gate", "not recorded",
            "20260101_000000_A1B2_ACCC8E012345", "3.5 GB", "5,120",
            "HDD_DISK", "1.2 TB of 4.0 TB free", "1 day 2 h", "2026-01-01 00:00:00 UTC",
        ):  # fmt: skip
            self.assertIn(words, text)

    def test_the_document(self) -> None:
        """Programs get the same as JSON."""
        code, headers, body = self.get("/status.json")
        self.assertEqual((code, headers["content-type"]), (200, "application/json"))
        document = json.loads(body)
        self.assertEqual(document["streams"][0]["status"]["state"], "playing")
        self.assertEqual(document["disks"][0]["disk"], "HDD_DISK")

    def test_the_disks_are_looked_at(self) -> None:
        """Who may see page or document sees the disks as they are; who may not moves nothing."""
        self.send("/")
        self.get("/healthz")
        self.assertEqual(self.looks, [])
        self.get("/")
        self.get("/status.json")
        self.assertEqual(len(self.looks), 2)

    def test_nothing_else_is_loaded_or_kept(self) -> None:
        """No answer is cached, sniffed or framed; a page may use its own style and nothing else."""
        for path in ("/", "/healthz", "/status.json"):
            headers = self.get(path)[1]
            self.assertEqual(headers["cache-control"], "no-store")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertIn("default-src 'none'", headers["content-security-policy"])
            self.assertIn("frame-ancestors 'none'", headers["content-security-policy"])
        self.assertEqual(Text(self.get("/")[2]).links, [])

    def test_other_paths_and_methods(self) -> None:
        """What is not there is not found, strangers see nothing, and nothing can be changed."""
        self.assertEqual(self.send("/").status, 401)
        self.assertEqual(self.send("/status.json").status, 401)
        self.assertEqual(self.send("/healthz").status, 200)
        self.assertEqual(self.get("/axis-cgi/param.cgi")[0], 404)
        self.assertEqual(self.get("/", "POST")[0], 405)
        self.assertEqual(self.get("/", "HEAD")[::2], (200, ""))


class PageTests(SynchronousTestCase):
    def test_what_comes_from_elsewhere_is_escaped(self) -> None:
        """Ids, options and errors show as text, whatever is in them."""
        page = Text(status_page(ILL))
        self.assertNotIn("script", page.elements)
        self.assertIn("<script>alert('x')</script>&\"", page.text)
        self.assertEqual(page.open, [], "every element is closed")

    def test_the_first_line_says_what_is_wrong(self) -> None:
        """Each thing that needs a person is one sentence at the top."""
        problems = list(find_problems(ILL))
        self.assertEqual(len(problems), 6)
        for words in ("401 Unauthorized", "videozgopmode", "no space left", "40.0 GB left"):
            self.assertTrue(any(words in problem for problem in problems), words)
        text = Text(status_page(ILL)).text
        self.assertIn("6 things need attention: 0 of 2 recordings being made", text)

    def test_one_trouble_is_told_once(self) -> None:
        """Two streams and the events of one camera that all fail alike are one thing to do."""
        refused = replace(FRONT.status, state=StreamState.REFUSED, last_error=REFUSAL)
        stream = replace(FRONT, status=refused)
        events = CameraEventsReport("front", refused, True, False, 0, 0, 0, 0)
        report = replace(WELL, streams=(stream, stream), camera_events=(events,))
        text = Text(status_page(report)).text
        self.assertIn("1 thing needs attention: 2 of 2 recordings being made", text)
        self.assertIn("Camera front: no <such> topic", text)

    def test_when_a_camera_is_tried_again(self) -> None:
        """Whoever has mended it sees how long it takes until that shows."""
        retry_us = NOW_US + 341_000_000
        locked = replace(
            FRONT.status, state=StreamState.LOCKED_OUT, last_error=REFUSAL, retry_us=retry_us
        )
        events = CameraEventsReport("front", locked, True, False, 0, 0, 0, 0)
        report = replace(WELL, streams=(replace(FRONT, status=locked),), camera_events=(events,))
        text = Text(status_page(report)).text
        self.assertEqual(text.count("no <such> topic; tried again in 5 min 41 s"), 2)
        late = replace(report, now_us=retry_us)
        self.assertNotIn("tried again", Text(status_page(late)).text)

    def test_a_recording_without_its_disk(self) -> None:
        """It says what it waits for; one whose disk is being opened only opens."""
        (disk,) = WELL.disks
        absent = replace(STARTING, disks=(replace(disk, state="absent", error="no folder"),))
        text = Text(status_page(absent)).text
        self.assertIn("waits for its disk", text)
        self.assertIn("0 of 1 recordings being made", text)
        self.assertNotIn("waits for its disk", Text(status_page(STARTING)).text)

    def test_what_goes_on_at_a_disk(self) -> None:
        """Each chore with something to tell has a line, with a bar while its end is in sight."""
        chores = (
            ChoreReport("repair", Progress("repairs blocks", 250, 1000)),
            ChoreReport("scrub", Progress("looked over all blocks", 40, 40)),
            ChoreReport("retention", None, "no space <left>"),
            ChoreReport("rebuild"),
        )
        disk = replace(WELL.disks[0], chores=chores, last_serial="ACCC8EFFFFFF")
        page = status_page(replace(WELL, disks=(disk,)))
        text = Text(page).text
        for words in (
            "repair repairs blocks 250 of 1,000", "scrub looked over all blocks 40 of 40",
            "retention no space <left>", "used by the recorder ACCC8EFFFFFF before",
        ):  # fmt: skip
            self.assertIn(words, text)
        self.assertNotIn("rebuild", text)
        self.assertIn('style="width:25%"', page)
        self.assertNotIn('style="width:100%"', page)
        problems = list(find_problems(replace(WELL, disks=(disk,))))
        self.assertEqual(problems, ["Disk HDD_DISK, retention: no space <left>"])
        own = replace(disk, last_serial=WELL.serial)
        self.assertNotIn("before", Text(status_page(replace(WELL, disks=(own,)))).text)

    def test_how_far_a_disk_reaches(self) -> None:
        """Since when there are recordings, at what rate it fills, and what comes then."""
        since_us = NOW_US - 3 * 86_400_000_000
        reach = ReachReport(True, since_us, 41_200_000_000, 86_400 * 12.5, is_automatic=True)

        def told(**changed: Any) -> str:
            disk = replace(WELL.disks[0], reach=replace(reach, **changed))
            return Text(status_page(replace(WELL, disks=(disk,)))).text

        self.assertIn("3 days 0 h since 2025-12-29 00:00 UTC 41.2 GB a day", told())
        self.assertIn("full in 12 days 12 h, then what is oldest makes room", told())
        self.assertIn("full: what is oldest makes room", told(seconds_to_full=0.0))
        words = "at most 30 days are kept 41.2 GB a day not full: what is too old goes before"
        self.assertIn(words, told(seconds_to_full=None, max_age_days=30))
        self.assertIn("then nothing more is recorded", told(is_automatic=False))
        self.assertIn("nothing is recorded", told(since_us=None, bytes_per_day=0))
        self.assertIn("nothing lately", told(bytes_per_day=0))
        self.assertIn("known in a minute", told(bytes_per_day=None))
        self.assertNotIn("since 2025", told(is_known=False, bytes_per_day=None))

    def test_a_disk_that_needs_room(self) -> None:
        """A person is needed where nothing else makes room: not for a disk that is kept full."""
        disk = replace(WELL.disks[0], free_bytes=190_000_000_000)

        def problems(**reach: Any) -> list[str]:
            changed = replace(disk, reach=ReachReport(**reach))
            return list(find_problems(replace(WELL, disks=(changed,))))

        self.assertEqual(problems(), ["Disk HDD_DISK: 190.0 GB left"])
        self.assertEqual(problems(is_automatic=True, kept_free_bytes=200_000_000_000), [])
        helpless = problems(is_automatic=True, kept_free_bytes=400_000_000_000)
        self.assertEqual(helpless, ["Disk HDD_DISK: 190.0 GB left"])
        disk = replace(disk, free_bytes=400_000_000_000)
        self.assertEqual(problems(seconds_to_full=86_400.0 * 2), [])
        self.assertEqual(
            problems(seconds_to_full=7_300.0),
            ["Disk HDD_DISK: 400.0 GB left, full in 2 h 1 min, then nothing more is recorded"],
        )

    def test_events_of_cameras(self) -> None:
        """Each camera that is listened to has a line; one that cannot be heard needs a person."""
        own = replace(FRONT.status, device="front, events", last_error=None)
        refused = replace(own, state=StreamState.REFUSED, last_error=REFUSAL)
        heard = CameraEventsReport("front", own, True, True, 3, 1_234, 7, 5_678)
        reports = (
            heard,
            replace(heard, device="yard", status=None, is_moving=False),
            replace(heard, device="gate", status=refused, is_heard=False),
            replace(heard, device="back", status=None, is_heard=False),
        )
        report = replace(WELL, camera_events=reports)
        self.assertEqual(
            list(find_problems(report)), ["Camera gate: its events are not heard: no <such> topic"]
        )
        text = Text(status_page(report)).text
        for words in (
            "front playing motion 3 1,234 7 5,678", "yard with the video none 3",
            "gate refused no <such> topic motion", "back waiting",
        ):  # fmt: skip
            self.assertIn(words, text)
        self.assertNotIn("Events of cameras", Text(status_page(WELL)).text)

    def test_a_recorder_with_nothing_to_do(self) -> None:
        """An empty configuration is shown as such, not as a fault."""
        text = Text(status_page(NOTHING)).text
        self.assertIn("Nothing to record is configured", text)
        self.assertIn("No camera is configured.", text)

    def test_a_recorder_that_waits_for_something_to_happen(self) -> None:
        """Streams that are held for rules are no fault, and not nothing."""
        text = Text(status_page(replace(WELL, recordings=()))).text
        self.assertIn("Ready: 2 streams held for rules and viewers", text)

    def test_rules_that_record(self) -> None:
        """Each has a line; one that cannot record is told at the top."""
        rules = (
            RuleReport(("Motion <front>",), "recording", "20260101_000000_A1B2_ACCC8E012345"),
            RuleReport(("one", "two"), "armed"),
            RuleReport(("Yard",), "cannot record", "no recording group 'yard'"),
        )
        page = Text(status_page(replace(WELL, rules=rules)))
        self.assertEqual(page.open, [])
        for words in ("Rules that record", "Motion <front>", "one two armed", "1 thing needs"):
            self.assertIn(words, " ".join(page.text.split()))
        problems = list(find_problems(replace(WELL, rules=rules)))
        self.assertEqual(problems, ["Rule Yard: cannot record: no recording group 'yard'"])
        self.assertNotIn("Rules that record", Text(status_page(WELL)).text)

    def test_a_recorder_that_starts(self) -> None:
        """Between nothing and recording it is starting."""
        self.assertIn("Starting", Text(status_page(STARTING)).text)
