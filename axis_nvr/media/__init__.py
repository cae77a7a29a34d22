"""Values in motion: access units, groups of pictures, the in-memory pre-buffer."""
