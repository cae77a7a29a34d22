"""Chromium with a page, and what the page tells."""

import http.server
import json
import os
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from twisted.trial.unittest import SkipTest

#: How long a page may take for what it is asked, in seconds.
PATIENCE_SECONDS = 60.0
#: A well-known player of RTSP over WebSocket, if `tools/set-up` could get it.
PLAYER = Path(__file__).parents[2] / ".venv" / "media-stream-library.min.js"


def need_browser() -> None:
    """Skip a test where there is no browser, or no player for it."""
    if shutil.which("chromium") is None:
        raise SkipTest("not installed: chromium")
    if not PLAYER.exists():
        raise SkipTest("not installed: media-stream-library")


class Browser:
    """Chromium without a window; it ends with `close`.

    The page's script may call ``tell(value)``.

    :param page: HTML.
    :param profile: a folder that is made.
    """

    def __init__(self, page: str, profile: Path) -> None:
        self._told = queue.Queue[str]()
        files = {"/": page.encode(), "/player.js": PLAYER.read_bytes(), "/tell.js": TELL}
        told = self._told

        class Answering(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                if path == "/told":
                    told.put(unquote(query))
                body = files.get(path, b"")
                kind = "text/javascript" if path.endswith(".js") else "text/html"
                self.send_response(200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._process = subprocess.Popen(
            [
                *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu"),
                *("--disable-background-networking", "--mute-audio", "--no-first-run"),
                "--autoplay-policy=no-user-gesture-required",
                f"--user-data-dir={profile.resolve()}",
                f"http://127.0.0.1:{self._server.server_port}/",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"},
        )

    def wait(self) -> Any:
        """Wait for what the page tells next; not on the reactor's thread."""
        return json.loads(self._told.get(timeout=PATIENCE_SECONDS))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()


TELL = b"""
const tell = what => fetch("/told?" + encodeURIComponent(JSON.stringify(what)));
addEventListener("error", event => tell({error: String(event.message)}));
addEventListener("unhandledrejection", event => tell({error: String(event.reason)}));
"""
