"""Coverage-guided fuzzing of everything a peer or a disk can send; see `tests.fuzz.run`."""
