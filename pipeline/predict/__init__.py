"""Predictions of a published version for photos: for `python -m pipeline.predict`, and for the demo."""
