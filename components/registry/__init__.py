"""Manages the published versions: where they lie, which there are, what points to them, and how one is published."""
