"""What is on the disks, and what is put there: recording, searching, exporting, the disks."""
