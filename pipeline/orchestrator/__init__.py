"""Plans a run, does what is not there yet, and records it. Knows of no runner."""
