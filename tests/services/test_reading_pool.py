"""The threads in which disks are read."""

import threading

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from axis_nvr.errors import NvrError
from axis_nvr.services.reading_pool import ReadingPool


class ReadingPoolTests(TestCase):
    async def test_while_the_recorder_runs(self) -> None:
        """Work is done in a thread; before the start and after the end it is refused."""
        pool = ReadingPool(reactor)
        await self.assertFailure(pool(threading.get_ident), NvrError)
        pool.startService()
        self.assertNotEqual(await pool(threading.get_ident), threading.get_ident())
        pool.stopService()
        await self.assertFailure(pool(threading.get_ident), NvrError)

    async def test_what_hangs(self) -> None:
        """A thread that does not come back does not hold up the end."""
        pool, release = ReadingPool(reactor), threading.Event()
        pool.startService()
        hanging = pool(release.wait)
        pool.stopService()
        release.set()
        self.assertTrue(await hanging)
