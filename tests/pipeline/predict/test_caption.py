from __future__ import annotations

from pipeline.predict.caption import caption


def test_names_the_class_or_does_not() -> None:
    assert caption("Ada", "frog") == "Ada uploaded a photo of a frog"
    assert caption("Ada", "airplane") == "Ada uploaded a photo of an airplane"
    assert caption("Ada", "fire_truck") == "Ada uploaded a photo of a fire truck"
    assert caption("…", None) == "… uploaded a photo"
