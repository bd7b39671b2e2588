"""Defines the artifacts that flow between components: Examples, Statistics, Embeddings, Model, Evaluation and Push.

An artifact is a folder. Its document, `<kind>.json`, holds the small values; everything else lies in files beside it.
`logs/` in the folder is for what differs from one attempt to the next (times, TensorBoard); the digest leaves it out.
"""

from components.artifacts.artifact import LOGS, AnyArtifact, Artifact, Bounds, Document
from components.artifacts.cross_validated import CrossValidated
from components.artifacts.embeddings import Embeddings
from components.artifacts.evaluation import Baseline, Caption, Check, Evaluation
from components.artifacts.examples import Examples
from components.artifacts.model import Model, StartedFrom
from components.artifacts.push import Push
from components.artifacts.statistics import SplitStatistics, Statistics

__all__ = [
    "LOGS",
    "AnyArtifact",
    "Artifact",
    "Baseline",
    "Bounds",
    "Caption",
    "Check",
    "CrossValidated",
    "Document",
    "Embeddings",
    "Evaluation",
    "Examples",
    "Model",
    "Push",
    "SplitStatistics",
    "StartedFrom",
    "Statistics",
]
