"""What starts and stops: cameras, the recorder, the disks."""
