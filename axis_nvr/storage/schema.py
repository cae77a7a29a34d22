"""The tables of ``index.db``: version 2.0 as Axis devices write it, and our own beside them.

A reader made for Axis disks finds its tables and columns with their meanings. What is ours stands
in tables whose names begin with ``nvr_``; ``PRAGMA user_version`` is their version.

================  ==================================================================================
nvr_recordings    the device, the effective stream options and the group of a recording, and its
                  start once more, by which what is of a device or group is in order
nvr_gaps          what is missing from a recording, or bent in it: from, to, why
nvr_unfinished    blocks whose file was not closed properly, and how many bytes of it are good
nvr_locks         what must not be deleted: a recording, or a span of it; who says so, when and why
nvr_damage        parts of blocks that were found to be broken: from, to, where in the file, why
nvr_state         what work on the disk remembers between two runs, such as a rebuild under way
nvr_counts        how many recordings there are, in all (the row ``''``) and for each hour in which
                  any began (such as ``2024-05-06T07``); kept by triggers, never written otherwise
================  ==================================================================================

Where a GOP is within a block stands in the block's Cues, and nowhere twice.
"""

MAJOR, MINOR = 2, 0
#: Version of our own tables.
USER_VERSION = 3

_RECORDING_COLUMNS = """
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    filename TEXT UNIQUE NOT NULL,
    path TEXT NOT NULL,
    starttime TEXT,
    stoptime TEXT,
    recording_type_id INTEGER REFERENCES recording_types(id),
    recording_source_id INTEGER REFERENCES recording_sources(id),
    recording_event_id INTEGER REFERENCES recording_events(id),
    recording_action_id INTEGER REFERENCES recording_actions(id),
    audio_id INTEGER REFERENCES audios(id),
    video_id INTEGER REFERENCES videos(id),
    metadata_id INTEGER REFERENCES metadata(id),
    CHECK (stoptime IS NULL OR starttime IS NOT NULL)
"""

_BLOCK_COLUMNS = """
    id INTEGER PRIMARY KEY,
    filename TEXT UNIQUE NOT NULL,
    path TEXT NOT NULL,
    starttime TEXT,
    stoptime TEXT,
    recording_id INTEGER{references},
    filesize INTEGER DEFAULT 0,
    CHECK (stoptime IS NULL OR starttime IS NOT NULL)
"""

#: What an index of version 2.0 holds.
AXIS_TABLES = f"""
CREATE TABLE version (major INTEGER NOT NULL, minor INTEGER NOT NULL, date TEXT NOT NULL);

CREATE TABLE recording_types (id INTEGER PRIMARY KEY, recording_type TEXT UNIQUE NOT NULL);
CREATE TABLE recording_sources (id INTEGER PRIMARY KEY, source_name TEXT UNIQUE NOT NULL);
CREATE TABLE recording_events (id INTEGER PRIMARY KEY, event_name TEXT UNIQUE NOT NULL);
CREATE TABLE recording_actions (id INTEGER PRIMARY KEY, action_name TEXT UNIQUE NOT NULL);
CREATE TABLE videos (
    id INTEGER PRIMARY KEY, videos_type TEXT NOT NULL, videos_properties TEXT NOT NULL,
    UNIQUE (videos_type, videos_properties)
);
CREATE TABLE audios (
    id INTEGER PRIMARY KEY, audios_type TEXT NOT NULL, audios_properties TEXT NOT NULL,
    UNIQUE (audios_type, audios_properties)
);
CREATE TABLE metadata (
    id INTEGER PRIMARY KEY, metadata_type TEXT NOT NULL, metadata_properties TEXT NOT NULL,
    UNIQUE (metadata_type, metadata_properties)
);

CREATE TABLE recordings ({_RECORDING_COLUMNS});
CREATE TABLE blocks ({_BLOCK_COLUMNS.format(references=" REFERENCES recordings(id)")});
CREATE TABLE remove_recordings ({_RECORDING_COLUMNS});
CREATE TABLE remove_blocks ({_BLOCK_COLUMNS.format(references="")});

CREATE INDEX recordings_starttime ON recordings(starttime);
CREATE INDEX recordings_action ON recordings(recording_action_id);
CREATE INDEX blocks_starttime ON blocks(starttime);
CREATE INDEX blocks_recording_starttime ON blocks(recording_id, starttime);

CREATE TRIGGER blocks_deleted AFTER DELETE ON blocks
WHEN EXISTS (SELECT 1 FROM blocks WHERE recording_id = OLD.recording_id)
BEGIN
    UPDATE recordings
    SET starttime = (SELECT MIN(starttime) FROM blocks WHERE recording_id = OLD.recording_id)
    WHERE id = OLD.recording_id;
END;
"""  # noqa: S608 - nothing from outside is in it

#: What we add; an index that came from elsewhere gets it too.
OUR_TABLES = """
CREATE TABLE IF NOT EXISTS nvr_recordings (
    recording_id INTEGER PRIMARY KEY REFERENCES recordings(id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    stream_options TEXT NOT NULL,
    group_token TEXT NOT NULL,
    starttime TEXT
);
CREATE TABLE IF NOT EXISTS nvr_gaps (
    id INTEGER PRIMARY KEY,
    recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE,
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    lost_packets INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS nvr_gaps_recording ON nvr_gaps(recording_id, start_us);
CREATE INDEX IF NOT EXISTS nvr_gaps_end ON nvr_gaps(recording_id, end_us);
CREATE TABLE IF NOT EXISTS nvr_unfinished (
    block_id INTEGER PRIMARY KEY REFERENCES blocks(id) ON DELETE CASCADE,
    good_bytes INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS nvr_locks (
    token TEXT PRIMARY KEY,
    recording_id INTEGER NOT NULL REFERENCES recordings(id) ON DELETE CASCADE,
    start_us INTEGER,
    end_us INTEGER,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS nvr_locks_recording ON nvr_locks(recording_id);
CREATE TABLE IF NOT EXISTS nvr_damage (
    id INTEGER PRIMARY KEY,
    block_id INTEGER NOT NULL REFERENCES blocks(id) ON DELETE CASCADE,
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    found_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS nvr_damage_block ON nvr_damage(block_id);
CREATE TABLE IF NOT EXISTS nvr_state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS nvr_counts (
    hour TEXT PRIMARY KEY, recordings INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nvr_open_recordings ON recordings(id) WHERE stoptime IS NULL;
CREATE INDEX IF NOT EXISTS nvr_open_blocks ON blocks(id) WHERE stoptime IS NULL;
"""

_BY_START = "".join(
    f"CREATE INDEX IF NOT EXISTS nvr_recordings_{name} ON {table}({column}, starttime);\n"
    for name, table, column in (
        ("type", "recordings", "recording_type_id"),
        ("source", "recordings", "recording_source_id"),
        ("event", "recordings", "recording_event_id"),
        ("action", "recordings", "recording_action_id"),
        ("device", "nvr_recordings", "device"),
        ("group", "nvr_recordings", "group_token"),
    )
)

#: How much of a time's text tells its hour, day and month.
HOUR_CHARS, DAY_CHARS, MONTH_CHARS = 13, 10, 7

_OVER = "".join(
    f"CREATE INDEX IF NOT EXISTS nvr_recordings_over_{name} ON recordings(starttime, stoptime)"
    f" WHERE substr(starttime, 1, {chars}) <> substr(stoptime, 1, {chars});\n"
    for name, chars in (("hour", HOUR_CHARS), ("day", DAY_CHARS), ("month", MONTH_CHARS))
)

#: What an index whose version of our tables is the key needs before all else.
UPGRADES = {1: "ALTER TABLE nvr_recordings ADD COLUMN starttime TEXT;"}


def _count(time: str, step: str) -> str:
    """Write how the counts change where a recording comes or goes.

    :param time: the start of it in SQL; one without a start counts in all, and in no hour.
    """
    hour = f"substr({time}, 1, {HOUR_CHARS})"
    return f"""
    INSERT INTO nvr_counts VALUES ('', {step})
    ON CONFLICT (hour) DO UPDATE SET recordings = recordings + {step};
    {_count_in_hour(hour, time, step)}
"""  # noqa: S608 - it is ours


def _count_in_hour(hour: str, time: str, step: str) -> str:
    return f"""
    INSERT INTO nvr_counts SELECT {hour}, {step} WHERE {time} <> ''
    ON CONFLICT (hour) DO UPDATE SET recordings = recordings + {step};
    DELETE FROM nvr_counts WHERE hour = {hour} AND hour <> '' AND recordings = 0;
"""  # noqa: S608 - it is ours


_HOUR = f"substr(starttime, 1, {HOUR_CHARS})"
_COUNTS = f"""
DELETE FROM nvr_counts;
INSERT INTO nvr_counts SELECT '', COUNT(*) FROM recordings;
INSERT INTO nvr_counts
SELECT {_HOUR}, COUNT(*) FROM recordings WHERE starttime <> '' GROUP BY {_HOUR};
CREATE TRIGGER IF NOT EXISTS nvr_counts_added AFTER INSERT ON recordings
BEGIN {_count("NEW.starttime", "1")} END;
CREATE TRIGGER IF NOT EXISTS nvr_counts_removed AFTER DELETE ON recordings
BEGIN {_count("OLD.starttime", "-1")} END;
CREATE TRIGGER IF NOT EXISTS nvr_counts_moved AFTER UPDATE OF starttime ON recordings
WHEN OLD.starttime IS NOT NEW.starttime
BEGIN
    {_count_in_hour(f"substr(OLD.starttime, 1, {HOUR_CHARS})", "OLD.starttime", "-1")}
    {_count_in_hour(f"substr(NEW.starttime, 1, {HOUR_CHARS})", "NEW.starttime", "1")}
END;
"""  # noqa: S608 - nothing from outside is in it

#: What searches use (`axis_nvr.storage.reading.search`): each thing that is searched by has its
#: recordings in order of their start, and what ran at a moment began in the same hour, or is one
#: of the few that go over the end of an hour, a day, a month.
OUR_INDEXES = f"""
UPDATE nvr_recordings
SET starttime = (SELECT starttime FROM recordings WHERE id = recording_id)
WHERE starttime IS NULL;
{_BY_START}
{_OVER}
CREATE TRIGGER IF NOT EXISTS nvr_recordings_added AFTER INSERT ON nvr_recordings
BEGIN
    UPDATE nvr_recordings
    SET starttime = (SELECT starttime FROM recordings WHERE id = NEW.recording_id)
    WHERE recording_id = NEW.recording_id;
END;
CREATE TRIGGER IF NOT EXISTS nvr_recordings_moved AFTER UPDATE OF starttime ON recordings
BEGIN
    UPDATE nvr_recordings SET starttime = NEW.starttime WHERE recording_id = NEW.id;
END;
{_COUNTS}
"""  # noqa: S608 - nothing from outside is in it

#: In the index's state: what a rebuild under way remembers. An index that holds nothing has it from
#: the moment it is made on: nobody has looked yet what is on the disk.
REBUILD_STATE = "rebuild"
EXPECT_REBUILD = f"""
INSERT INTO nvr_state SELECT '{REBUILD_STATE}', '' WHERE NOT EXISTS (SELECT 1 FROM recordings);
"""  # noqa: S608 - nothing from outside is in it
