"""The events of cameras, heard by the recorder: motion, above all."""
