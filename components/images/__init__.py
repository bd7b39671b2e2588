"""Decodes and resizes images in one way everywhere, from ingest to the phone."""
