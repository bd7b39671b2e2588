"""Defines Statistics, what normalize finds in the images."""

from __future__ import annotations

from typing import Any, ClassVar

from components.artifacts.artifact import Artifact, Document


class SplitStatistics(Document):
    """Statistics of one split. Pixel values are scaled to 0-1; channels are in RGB order."""

    example_count: int
    pixel_count: int
    channel_mean: tuple[float, float, float]
    channel_std: tuple[float, float, float]
    # Over all 2x2 patches, flattened in (row, column, channel) order: mean (12,), centered covariance (12, 12).
    patch_mean: tuple[float, ...]
    patch_covariance: tuple[tuple[float, ...], ...]
    class_counts: tuple[int, ...]
    image_sizes: dict[str, int]  # images by size, "32x32" (height x width); beyond 100 sizes, "other" counts the rest


class Statistics(Artifact):
    """Findings of one pass over the images. There are no files beside the document."""

    REMARKS: ClassVar[tuple[str, ...]] = ("warnings",)

    splits: dict[str, SplitStatistics]
    duplicate_count: int  # distinct images that occur more than once, pixel for pixel, over all splits
    leaked_count: int  # those of them that are both in the test split and in another one
    duplicates: tuple[dict[str, int], ...]  # of the first duplicates: how often each split has the image
    warnings: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Returns the number of duplicates, of leaked images and of warnings."""
        return {"duplicates": self.duplicate_count, "leaked": self.leaked_count, "warnings": len(self.warnings)}
