"""A published version, ready to answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from components.registry.layout import MODEL_CARD, pushed_folder
from components.registry.versions import latest_version, numbers
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

# For versions whose card has none: the class is then likelier than all others together.
DEFAULT_CONFIDENCE = 0.5


class LoadingError(Exception):
    """Why a version cannot answer."""


class Preprocessing(BaseModel):
    """What this code does to a photo; a card that asks for anything else is refused."""

    orientation: Literal["upright"] = "upright"
    crop_and_scale: Literal["centerCrop"] = "centerCrop"
    resampling: Literal["bilinear, antialiased"] = "bilinear, antialiased"
    pixels: Literal["RGB, 0-255"] = "RGB, 0-255"


class Card(BaseModel):
    """The part of a model card that serving needs."""

    class_names: tuple[str, ...]
    image_height: int
    image_width: int
    preprocessing: Preprocessing = Preprocessing()
    confidence: float | None = None  # that the evaluation chose: below it no class is named; above 1: none ever is
    caption_precision: float | None = None  # the fraction of named photos that it should be right about


class Prediction(NamedTuple):
    """What a model says of one photo."""

    probabilities: dict[str, float]  # by class, the likeliest first
    confident: bool  # whether the likeliest is to be named

    @property
    def class_name(self) -> str:
        """The likeliest."""
        return next(iter(self.probabilities))

    @property
    def probability(self) -> float:
        """Of the likeliest."""
        return self.probabilities[self.class_name]

    @property
    def named(self) -> str | None:
        """The class for the caption; None below the confidence."""
        return self.class_name if self.confident else None


class ServedModel:
    """One version in memory. Threads may share it, and its folder may go away."""

    def __init__(self, version: int, card: Card, saved_model: Any) -> None:
        import tensorflow as tf

        from components.images.resize import crop_and_resize

        self.version = version
        self.card = card
        self._saved_model = saved_model  # its signatures do not keep their variables alive
        classify = saved_model.signatures["serving_default"]

        def answer(photo: tf.Tensor) -> tf.Tensor:
            image = crop_and_resize(photo, card.image_height, card.image_width)
            return classify(image=image[None])["probabilities"][0]

        any_size = tf.TensorSpec((None, None, 3), tf.uint8)
        self._answer = tf.function(answer, input_signature=[any_size], autograph=False)

    def warm_up(self) -> None:
        """ExampleScores once: the first time takes longer. Raises ValueError if the card and the answer do not fit."""
        import tensorflow as tf

        blank = tf.zeros((self.card.image_height, self.card.image_width, 3), tf.uint8)
        answers, classes = len(self._answer(blank)), len(self.card.class_names)
        if answers != classes:
            raise ValueError(f"it gives {answers} probabilities, its model card names {classes} classes")

    @property
    def confidence(self) -> float:
        """The probability from which on a class is named."""
        return DEFAULT_CONFIDENCE if self.card.confidence is None else self.card.confidence

    def predict(self, photo: Image.Image) -> Prediction:
        """Of an upright RGB image of any size, cropped and resized as the card says."""
        import numpy as np

        probabilities = self._answer(np.asarray(photo)).numpy()
        order = np.argsort(-probabilities, kind="stable")
        by_class = {self.card.class_names[index]: float(probabilities[index]) for index in order}
        return Prediction(by_class, float(probabilities[order[0]]) >= self.confidence)


def find_version(root: Path, version: int | None = None) -> Path:
    """The folder of the version asked for, or else of the one that is to be served.

    Raises:
        UsageError: there is none.
    """
    pushed = pushed_folder(root)
    if version is None:
        if (latest := latest_version(pushed)) is None:
            raise UsageError(
                f"No version is in {pushed} yet. Make one with `python -m pipeline.run`, or say where it is with "
                "--pipeline_root."
            )
        return latest
    if not (pushed / str(version)).is_dir():
        found = ", ".join(str(each) for each in numbers(pushed)) or "none"
        raise UsageError(f"--version {version} is not in {pushed}. There: {found}.")
    return pushed / str(version)


def load(version: Path) -> ServedModel:
    """Some seconds, most of them the first time.

    Raises:
        LoadingError: the folder holds no model that this code can serve.
    """
    card = _read_card(version)
    import tensorflow as tf

    try:
        model = ServedModel(int(version.name), card, tf.saved_model.load(str(version)))
        model.warm_up()
    except Exception as error:  # its loader meets damage with whatever its parts raise
        raise LoadingError(f"{version} cannot be loaded: {_first_line(error)}. Push it again.") from error
    return model


def _read_card(version: Path) -> Card:
    file = version / MODEL_CARD
    try:
        return Card.model_validate_json(file.read_bytes())
    except OSError as error:
        raise LoadingError(f"{file} cannot be read: {error.strerror}. Push the version again.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise LoadingError(f"{file} cannot be used: {where}: {first['msg']}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
