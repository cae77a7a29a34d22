"""The status page: one HTML document that needs nothing else and refreshes itself.

It is for people who stand before a new recorder, so the first line says whether all is well. All
text that comes from elsewhere is escaped, and a content security policy forbids everything but the
page's own style.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from axis_nvr.services.camera_events.report import CameraEventsReport
from axis_nvr.services.status import (
    DiskReport,
    IdleCamera,
    ReachReport,
    RecorderReport,
    RecordingReport,
    RuleReport,
    StreamReport,
)
from axis_nvr.services.stream_status import StreamState, StreamStatus, TrackStatus
from axis_nvr.storage.housekeeping import ChoreReport
from axis_nvr.words import count_words, duration_words, size_words

#: How often a browser asks again, in seconds.
REFRESH_SECONDS = 2
#: A disk with less left than this part of it needs a person, and one that keeps some of it free by
#: itself if it has no more than this part of that.
LITTLE_SPACE = 0.05
LITTLE_KEPT = 0.5
#: So does a disk that removes nothing and will be full so soon, in seconds.
SOON_FULL_SECONDS = 86_400

#: The colour of each state of a stream, a recording and a disk: good, busy, bad or off.
COLOURS = {
    StreamState.PLAYING: "good",
    StreamState.CONNECTING: "busy",
    StreamState.WAITING: "bad",
    StreamState.REFUSED: "bad",
    StreamState.LOCKED_OUT: "bad",
    StreamState.MISCONFIGURED: "bad",
    "recording": "good",
    "with the video": "good",
    "opening": "busy",
    "closing": "busy",
    "waiting": "bad",
    "no pictures": "bad",
    "armed": "good",
    "cannot record": "bad",
    "ok": "good",
    "starting": "busy",
}

STYLE = """
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--ink:#1c2530;--dim:#657080;--line:#e1e5ea;
--good:#12803c;--busy:#9a6700;--bad:#c6281d;--off:#7a8594;--bar:#3b78c4}
@media(prefers-color-scheme:dark){:root{--bg:#12161b;--card:#1b2128;--ink:#e6eaef;--dim:#93a0ae;
--line:#2b333d;--good:#4cc878;--busy:#e0a93b;--bad:#ff7468;--off:#7f8b99;--bar:#5b97e0}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:76rem;margin:0 auto;padding:1.5rem 1.25rem 3rem}
header{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;align-items:baseline;margin-bottom:1.25rem}
h1{font-size:1.35rem;margin:0;font-weight:650}
header .dim:last-child{margin-left:auto}
.verdict{font-size:1.05rem;font-weight:600;padding:.75rem 1rem;border-radius:.6rem;
background:var(--card);border:1px solid var(--line);border-left:.4rem solid currentColor}
.verdict ul{margin:.4rem 0 0;padding-left:1.1rem;font-weight:400;font-size:.95rem;color:var(--ink)}
h2{font-size:.8rem;letter-spacing:.06em;text-transform:uppercase;color:var(--dim);
margin:1.75rem 0 .5rem;font-weight:650}
.table{background:var(--card);border:1px solid var(--line);border-radius:.6rem;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.55rem .9rem;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;font-size:.8rem;font-weight:600;color:var(--dim);white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.dim{color:var(--dim);font-size:.86rem}
td .dim{display:block;overflow-wrap:anywhere;min-width:6rem}
code{font:.86rem ui-monospace,monospace;overflow-wrap:anywhere;display:block;min-width:12rem}
.state{white-space:nowrap;font-weight:600}
.state::before{content:"";display:inline-block;width:.6rem;height:.6rem;border-radius:50%;
background:currentColor;margin-right:.45rem}
.good{color:var(--good)}.busy{color:var(--busy)}.bad{color:var(--bad)}.off{color:var(--off)}
.bar{width:10rem;height:.5rem;border-radius:.25rem;background:var(--line);overflow:hidden;
display:block;margin-top:.35rem}
.bar i{display:block;height:100%;background:var(--bar)}
.empty{padding:1rem;color:var(--dim)}
""".replace("\n", "")

#: Nothing but the style in the page itself.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def status_page(report: RecorderReport) -> str:
    """Lay out a report as HTML."""
    problems = list(dict.fromkeys(find_problems(report)))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<title>axis_nvr{' (!)' if problems else ''}</title><style>{STYLE}</style></head><body>"
        f"<main>{_header(report)}{_verdict(report, problems)}"
        f"{_cameras(report)}{_events(report)}{_rules(report.rules)}"
        f"{_recordings(report)}{_disks(report)}{_memory(report)}"
        "</main></body></html>\n"
    )


def find_problems(report: RecorderReport) -> Iterable[str]:
    """Say in one sentence each what a person should look at.

    That a camera cannot be reached for its events either is not said beside that it cannot be.
    """
    known = set()
    for stream in report.streams:
        if COLOURS.get(stream.status.state, "off") == "bad":
            error = stream.status.last_error
            why = error.words if error else stream.status.state
            known.add((stream.device, why))
            yield f"Camera {stream.device}: {why}"
        yield from (f"Camera {stream.device}: {warning}" for warning in stream.warnings)
    for events in report.camera_events:
        status = events.status
        if status is not None and COLOURS.get(status.state, "off") == "bad":
            why = status.last_error.words if status.last_error else status.state
            if (events.device, why) not in known:
                yield f"Camera {events.device}: its events are not heard: {why}"
    for rule in report.rules:
        if COLOURS.get(rule.state) == "bad":
            yield f"Rule {', '.join(rule.names)}: {rule.state}: {rule.detail}"
    for recording in report.recordings:
        if recording.job.is_dropping:
            yield f"Recording {recording.job.name}: pictures are being lost, the disk takes none"
        elif recording.job.state == "waiting":
            yield f"Recording {recording.job.name}: {recording.job.last_error}"
    for disk in report.disks:
        if disk.error:
            yield f"Disk {disk.disk}: {disk.error}"
        elif words := _shortage(disk):
            yield f"Disk {disk.disk}: {words}"
        for chore in disk.chores:
            if chore.error:
                yield f"Disk {disk.disk}, {chore.name}: {chore.error}"


def _shortage(disk: DiskReport) -> str:
    """Say that a disk has little room left, or not for long; not of one that sees to it itself."""
    reach, little = disk.reach, LITTLE_SPACE * disk.total_bytes
    if reach.kept_free_bytes:
        little = LITTLE_KEPT * reach.kept_free_bytes
    seconds = reach.seconds_to_full
    is_soon = seconds is not None and not reach.is_automatic and seconds < SOON_FULL_SECONDS
    if not disk.total_bytes or not (is_soon or disk.free_bytes < little):
        return ""
    left = f"{size_words(disk.free_bytes)} left"
    return f"{left}, {_full_words(reach)}" if is_soon else left


def _header(report: RecorderReport) -> str:
    now = datetime.fromtimestamp(report.now_us / 1e6, UTC)
    return (
        f'<header><h1>axis_nvr</h1><span class="dim">version {escape(report.version)}, serial '
        f'{escape(report.serial)}</span><span class="dim">{now:%Y-%m-%d %H:%M:%S} UTC, up '
        f"{duration_words(report.uptime_seconds)}</span></header>"
    )


def _verdict(report: RecorderReport, problems: list[str]) -> str:
    running = sum(r.state == "recording" and not r.job.is_dropping for r in report.recordings)
    if problems:
        items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
        count = "1 thing needs" if len(problems) == 1 else f"{len(problems)} things need"
        total = len(report.recordings)
        runs = f": {running} of {total} recordings being made" if total else ""
        return f'<div class="verdict bad">{count} attention{runs}<ul>{items}</ul></div>'
    playing = sum(stream.status.state == StreamState.PLAYING for stream in report.streams)
    if running == len(report.recordings) and playing == len(report.streams):
        if not running and playing:
            streams = count_words(playing, "stream")
            return f'<div class="verdict good">Ready: {streams} held for rules and viewers</div>'
        if not running:
            return '<div class="verdict off">Nothing to record is configured</div>'
        return f'<div class="verdict good">Recording: {count_words(running, "recording")} of ' + (
            f"{count_words(playing, 'stream')}</div>"
        )
    return '<div class="verdict busy">Starting</div>'


def _table(title: str, heads: list[str], rows: Iterable[str], empty: str) -> str:
    body = "".join(rows)
    if not body:
        return f'<h2>{title}</h2><div class="table"><div class="empty">{empty}</div></div>'
    head = "".join(
        f'<th class="n">{name[1:]}</th>' if name.startswith("#") else f"<th>{name}</th>"
        for name in heads
    )
    return (
        f'<h2>{title}</h2><div class="table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cameras(report: RecorderReport) -> str:
    heads = ["Camera", "State", "Picture and sound", "#Bitrate", "#fps", "#Lost", "#Reconnects"]
    rows = [_stream_row(stream, report.now_us) for stream in report.streams]
    rows += [_idle_row(camera) for camera in report.idle_cameras]
    return _table("Cameras", heads, rows, "No camera is configured.")


def _trouble(status: StreamStatus, now_us: int) -> str:
    """Say what keeps a stream from playing, and when it is tried again."""
    error = status.last_error
    if error is None or status.state == StreamState.PLAYING:
        return ""
    wait_seconds = 0.0 if status.retry_us is None else (status.retry_us - now_us) / 1e6
    again = f"; tried again in {duration_words(wait_seconds)}" if wait_seconds >= 1 else ""
    return f"{error.words}{again}"


def _stream_row(report: StreamReport, now_us: int) -> str:
    status = report.status
    odd = ", ".join(status.warnings)
    return (
        f"<tr><td><b>{escape(report.device)}</b>{_dim(report.address)}{_dim(odd)}</td>"
        f"<td>{_state(status.state)}{_dim(_trouble(status, now_us))}</td>"
        f"<td>{'<br>'.join(_track(track) for track in status.tracks)}"
        f"{_dim(status.protocol)}</td>"
        f'<td class="n">{status.bitrate / 1e6:.2f} Mbit/s</td>'
        f'<td class="n">{status.fps:.1f}</td><td class="n">{_lost(report)}</td>'
        f'<td class="n">{status.reconnects}</td></tr>'
    )


def _idle_row(camera: IdleCamera) -> str:
    return (
        f"<tr><td><b>{escape(camera.device)}</b>{_dim(camera.address)}</td>"
        f'<td colspan="6">{_state("not recorded")}</td></tr>'
    )


def _events(report: RecorderReport) -> str:
    heads = ["Camera", "State", "Motion", "#Areas", "#Heard", "#Nonsense", "#Passed over"]
    rows = "".join(_events_row(events, report.now_us) for events in report.camera_events)
    return _table("Events of cameras", heads, [rows], "") if rows else ""


def _events_row(report: CameraEventsReport, now_us: int) -> str:
    status = report.status
    told = ""
    if status is None:
        state = _state("with the video" if report.is_heard else "waiting")
    else:
        state = _state(status.state)
        told = _trouble(status, now_us)
    motion = _state("motion", "busy") if report.is_moving else _dim("none")
    counts = (report.states, report.notifications, report.nonsense, report.passed_over)
    return (
        f"<tr><td><b>{escape(report.device)}</b></td><td>{state}{_dim(told)}</td><td>{motion}</td>"
        + "".join(f'<td class="n">{count:,}</td>' for count in counts)
        + "</tr>"
    )


def _lost(report: StreamReport) -> str:
    lost, received = report.status.packets_lost, report.status.packets_received
    if not lost:
        return "0"
    return f"{lost:,}{_dim(f'{100 * lost / (lost + received):.2g} %')}"


def _track(track: TrackStatus) -> str:
    words = [{"h264": "H.264", "h265": "H.265"}.get(track.codec, track.codec.upper()) or track.kind]
    if track.width:
        words.append(f"{track.width}×{track.height}")
    if track.sample_rate:
        words.append(f"{track.sample_rate / 1000:g} kHz, {count_words(track.channels, 'channel')}")
    return escape(" ".join(words))


def _rules(rules: Iterable[RuleReport]) -> str:
    rows = [
        f"<tr><td><b>{'<br>'.join(map(escape, rule.names))}</b></td>"
        f"<td>{_state(rule.state)}{_dim(rule.detail)}</td></tr>"
        for rule in rules
    ]
    return _table("Rules that record", ["Rule", "State"], rows, "") if rows else ""


def _recordings(report: RecorderReport) -> str:
    heads = ["Recording", "State", "Disk", "#Written", "#GOPs", "#Gaps", "#Lost GOPs"]
    absent = {disk.disk for disk in report.disks if disk.error}
    rows = [_recording_row(recording, recording.disk in absent) for recording in report.recordings]
    return _table("Recordings", heads, rows, "No recording is configured.")


def _recording_row(report: RecordingReport, is_disk_absent: bool) -> str:
    job = report.job
    is_bad = job.is_dropping or (is_disk_absent and report.state == "opening")
    state = report.state
    if is_bad:
        state = "losing pictures" if job.is_dropping else "waits for its disk"
    error = job.last_error if job.state != "recording" else ""
    return (
        f"<tr><td><b>{escape(job.name)}</b>{_dim(report.options).replace('&amp;', '&amp;<wbr>')}"
        f"{_dim(job.recording_id)}</td>"
        f"<td>{_state(state, 'bad' if is_bad else '')}{_dim(error)}</td>"
        f"<td>{escape(report.disk)}</td>"
        f'<td class="n">{size_words(job.counts.written_bytes)}</td>'
        f'<td class="n">{job.counts.written_gops:,}</td><td class="n">{job.counts.gaps}</td>'
        f'<td class="n">{job.counts.dropped_gops}</td></tr>'
    )


def _disks(report: RecorderReport) -> str:
    heads = ["Disk", "State", "Space", "Reaches back", "Fills", "#Waiting writes"]
    rows = [
        row
        for disk in report.disks
        for row in (_disk_row(disk, report), *map(_chore_row, disk.chores))
    ]
    return _table("Disks", heads, rows, "No disk is configured.")


def _disk_row(disk: DiskReport, report: RecorderReport) -> str:
    space = "unknown"
    if disk.total_bytes:
        used = 1 - disk.free_bytes / disk.total_bytes
        space = f"{size_words(disk.free_bytes)} of {size_words(disk.total_bytes)} free{_bar(used)}"
    before = disk.last_serial
    owner = f"used by the recorder {before} before" if before not in ("", report.serial) else ""
    folder = escape(disk.folder).replace("/", "/<wbr>")
    return (
        f"<tr><td><b>{escape(disk.disk)}</b><code>{folder}</code>{_dim(owner)}</td>"
        f"<td>{_state(disk.state, 'bad' if disk.error else '')}{_dim(disk.error)}</td>"
        f"<td>{space}</td><td>{_back(disk.reach, report.now_us)}</td><td>{_fills(disk.reach)}</td>"
        f'<td class="n">{disk.queued}</td></tr>'
    )


def _back(reach: ReachReport, now_us: int) -> str:
    """Tell how far back recordings reach."""
    if not reach.is_known:
        return ""
    kept = f"at most {count_words(reach.max_age_days, 'day')} are kept"
    limit = _dim(kept if reach.max_age_days else "")
    if reach.since_us is None:
        return f"nothing is recorded{limit}"
    since = datetime.fromtimestamp(reach.since_us / 1e6, UTC)
    words = duration_words(max(0.0, (now_us - reach.since_us) / 1e6))
    return f"{words}{_dim(f'since {since:%Y-%m-%d %H:%M} UTC')}{limit}"


def _fills(reach: ReachReport) -> str:
    """Tell how fast a disk fills, and when it is full."""
    if reach.bytes_per_day is None:
        return _dim("known in a minute" if reach.is_known else "")
    if not reach.bytes_per_day:
        return "nothing lately"
    return f"{size_words(reach.bytes_per_day)} a day{_dim(_full_words(reach))}"


def _full_words(reach: ReachReport) -> str:
    """Say when a disk is full, and what happens then."""
    seconds = reach.seconds_to_full
    if seconds is None:
        return "not full: what is too old goes before" if reach.max_age_days else ""
    then = "what is oldest makes room" if reach.is_automatic else "nothing more is recorded"
    return f"full in {duration_words(seconds)}, then {then}" if seconds else f"full: {then}"


def _chore_row(chore: ChoreReport) -> str:
    """Tell of a chore that has something to tell, how far it is if one can know."""
    progress = chore.progress
    if progress is None and not chore.error:
        return ""
    words, amount = (progress.words, progress) if progress else ("", None)
    bar = _bar(amount.done / amount.total) if amount and 0 <= amount.done < amount.total else ""
    counted = f"{amount.done:,} of {amount.total:,}" if amount and amount.total else ""
    return (
        f'<tr><td>{_dim(chore.name)}</td><td colspan="4">{escape(words)}{bar}{_dim(chore.error)}'
        f'</td><td class="n">{counted}</td></tr>'
    )


def _bar(part: float) -> str:
    return f'<span class="bar"><i style="width:{100 * part:.0f}%"></i></span>'


def _memory(report: RecorderReport) -> str:
    dropped = report.buffer_drops + sum(
        stream.buffer.dropped_at_stream_limit for stream in report.streams
    )
    open_bytes = sum(stream.buffer.open_bytes for stream in report.streams)
    queued_bytes = sum(disk.queued_bytes for disk in report.disks)
    return (
        '<h2>Memory</h2><div class="table"><table><tbody><tr><td>Pre-buffers'
        f'<span class="dim">{size_words(report.buffered_bytes)} of at most '
        f"{size_words(report.buffer_limit_bytes)}</span></td><td>Groups that grow"
        f'<span class="dim">{size_words(open_bytes)}</span></td><td>On their way to the disks'
        f'<span class="dim">{size_words(queued_bytes)}</span></td>'
        "<td>Dropped from pre-buffers at a limit"
        f'<span class="dim">{count_words(dropped, "group")}</span></td>'
        "</tr></tbody></table></div>"
    )


def _state(words: str, colour: str = "") -> str:
    colour = colour or COLOURS.get(words, "off")
    return f'<span class="state {colour}">{escape(words)}</span>'


def _dim(words: str) -> str:
    return f'<span class="dim">{escape(words)}</span>' if words else ""
