"""The tables of the state database, and the steps from each version of them to the next.

``PRAGMA user_version`` is the number of steps an existing database has gone. A step is never
changed once it has been released: what is to be different comes as another step behind it.

==================  ================================================================================
accounts            who may do what; the secret is encrypted
audit               who viewed, exported, changed or deleted what, and when
settings            single values by name
devices             external IP devices: cameras that clients have named
continuous          continuous recordings that clients have asked for
disk_settings       what clients have set of a disk; NULL: what the configuration says
schedules           when events come by the clock; the first four are those of the factory
``action_...``      action_configurations and action_rules: what runs when; all parameters are
                    encrypted, as those of recipients are
recipients          whom notifications can go to
==================  ================================================================================
"""

#: SQL of each step.
STEPS = (
    """
    CREATE TABLE accounts (
        name TEXT PRIMARY KEY,
        role TEXT NOT NULL,
        has_ptz INTEGER NOT NULL,
        primary_group TEXT NOT NULL,
        comment TEXT NOT NULL,
        realm TEXT NOT NULL,
        secret TEXT NOT NULL
    );
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time_us INTEGER NOT NULL,
        account TEXT NOT NULL,
        address TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL
    );
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
    """
    CREATE TABLE devices (
        id TEXT PRIMARY KEY,
        description TEXT NOT NULL,
        serial TEXT NOT NULL,
        address TEXT NOT NULL,
        username TEXT NOT NULL,
        password TEXT NOT NULL,
        protocol TEXT NOT NULL,
        certvalidation TEXT NOT NULL,
        port INTEGER NOT NULL,
        has_events INTEGER NOT NULL
    );
    """,
    """
    CREATE TABLE continuous (
        profile INTEGER PRIMARY KEY AUTOINCREMENT,
        disk TEXT NOT NULL,
        options TEXT NOT NULL,
        event TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE disk_settings (
        disk TEXT PRIMARY KEY,
        cleanup TEXT,
        max_age_days INTEGER,
        limit_kib INTEGER NOT NULL,
        wear_level INTEGER NOT NULL,
        temperature_level INTEGER NOT NULL,
        is_locked INTEGER NOT NULL,
        encryption TEXT,
        passphrase TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE action_configurations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        template TEXT NOT NULL,
        parameters TEXT NOT NULL
    );
    CREATE TABLE recipients (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        template TEXT NOT NULL,
        parameters TEXT NOT NULL
    );
    CREATE TABLE action_rules (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        start_event TEXT,
        conditions TEXT NOT NULL,
        timeout REAL,
        primary_action INTEGER NOT NULL,
        failover_action INTEGER
    );
    """,
    """
    CREATE TABLE schedules (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        icalendar TEXT NOT NULL
    );
    INSERT INTO schedules (id, name, icalendar) VALUES
        ('com.axis.schedules.weekdays', 'Weekdays',
        'DTSTART:19700105T000000\nDTEND:19700110T000000\nRRULE:FREQ=WEEKLY'),
        ('com.axis.schedules.office_hours', 'Office Hours',
        'DTSTART:19700101T080000\nDTEND:19700101T180000'
        || '\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR'),
        ('com.axis.schedules.after_hours', 'After Hours',
        'DTSTART:19700101T180000\nDTEND:19700102T080000'
        || '\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR'),
        ('com.axis.schedules.weekends', 'Weekends',
        'DTSTART:19700103T000000\nDTEND:19700105T000000\nRRULE:FREQ=WEEKLY');
    """,
)
