"""Play a recording as an ONVIF client, by GStreamer, and print a line for each picture.

``gst_player.py <url> <rate control: yes or no> [<rate>:<start>:<stop> …]``

Each argument behind the second is a seek, made when what was played before has ended; times are
nanoseconds since 1900, empty for open ends. A line is ``<time in nanoseconds> <MD5>``, the latter
of all NAL units but parameter sets, which GStreamer repeats as it likes; at each end ``end``. Where
nothing happens for long, whatever call it hangs in, it fails and says what its source did last.
"""

import faulthandler
import hashlib
import os
import sys
import time
from threading import Thread

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402, F401

#: How long nothing may happen, in seconds.
PATIENCE = 25.0
#: So many bytes are kept of what each thread of the source says of itself, for as many seconds.
LOG_BYTES, LOG_SECONDS = 16 * 1024, 60


def watch() -> None:
    """End this program when nothing has happened for too long."""
    while time.monotonic() < until:
        time.sleep(0.5)
    sys.stderr.write(f"nothing for {PATIENCE:.0f} s, left to seek: {seeks}\n")
    faulthandler.dump_traceback()
    sys.stderr.write("".join(Gst.debug_ring_buffer_logger_get_logs()))
    sys.stderr.flush()
    os._exit(1)


Gst.debug_remove_log_function(None)
Gst.debug_add_ring_buffer_logger(LOG_BYTES, LOG_SECONDS)
Gst.debug_set_threshold_from_string("rtspsrc:DEBUG", True)
Gst.init(None)
url, rate_control, *seeks = sys.argv[1:]
pipeline = Gst.parse_launch(
    "rtspsrc name=src protocols=tcp buffer-mode=none onvif-mode=true ! rtph264depay"
    " ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=sink sync=false"
    " async=false"
)
source, sink = pipeline.get_by_name("src"), pipeline.get_by_name("sink")
source.set_property("location", url)
source.set_property("onvif-rate-control", rate_control == "yes")
until = time.monotonic() + PATIENCE
Thread(target=watch, daemon=True).start()
pipeline.set_state(Gst.State.PLAYING)
while True:
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    if message is not None:
        sys.exit(str(message.parse_error()))
    sample = sink.try_pull_sample(50 * Gst.MSECOND)
    if sample is not None:
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        nals = [nal for nal in data.split(b"\0\0\0\1") if nal and nal[0] & 31 not in (7, 8)]
        sys.stdout.write(f"{buffer.pts} {hashlib.md5(b''.join(nals)).hexdigest()}\n")
        sample = buffer = None  # the sink uses the sample again only if nobody has it
        until = time.monotonic() + PATIENCE
    elif sink.is_eos():
        sys.stdout.write("end\n")
        until = time.monotonic() + PATIENCE
        if not seeks:
            break
        rate, start, stop = seeks.pop(0).split(":")
        ends = [
            (Gst.SeekType.SET, int(text)) if text else (Gst.SeekType.NONE, -1)
            for text in (start, stop)
        ]
        pipeline.seek(float(rate), Gst.Format.TIME, Gst.SeekFlags.FLUSH, *ends[0], *ends[1])
pipeline.set_state(Gst.State.NULL)
