"""Looking disks over: what is checked, what is found, what of it can be mended, and the scrub."""
