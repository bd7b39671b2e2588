"""A small chat on this machine in which a photo gets its caption: `python -m pipeline.demo`."""
