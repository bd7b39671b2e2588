"""Predictions of a published version for photos: for `python -m pipeline.predict`, and for the demo."""

WORK_THREAD = "bulk prediction"  # the name of the thread in which a Beam pipeline predicts many photos
