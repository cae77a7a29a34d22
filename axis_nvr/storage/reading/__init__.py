"""Reading a disk: finding recordings, pictures at a time, and what is missing."""
