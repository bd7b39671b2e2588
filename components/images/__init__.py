"""Images, decoded and resized in one way everywhere: from ingest to the phone."""
