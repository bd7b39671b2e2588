"""Loads a published version, and classifies photos with it."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from components.registry.layout import MODEL_CARD
from components.registry.registry import Registry
from components.registry.versions import latest_version, numbers
from pipeline.errors import UsageError
from pipeline.store.opening import open_versions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

# For versions whose card states none: the class is then more likely than all others together.
DEFAULT_CONFIDENCE = 0.5
# The shorter side to which a photo is shrunk as it is decoded, as ingest shrinks those that models are trained and
# evaluated on; at least twice that of the input. A JPEG of 12 megapixels is then read in a quarter of the time.
READ_SIDE_PIXELS = 512


class LoadingError(Exception):
    """A version that cannot be served, or storage that cannot be reached. The text says why."""


class Preprocessing(BaseModel):
    """The preprocessing that this module applies to a photo. A card that asks for anything else is refused."""

    orientation: Literal["upright"] = "upright"
    color_space: Literal["sRGB"] = "sRGB"
    background: Literal["white"] = "white"
    crop_and_scale: Literal["centerCrop"] = "centerCrop"
    resampling: Literal["bilinear, antialiased"] = "bilinear, antialiased"
    pixels: Literal["RGB, 0-255"] = "RGB, 0-255"


class Card(BaseModel):
    """The part of a model card that serving needs."""

    class_names: tuple[str, ...]
    image_height: int
    image_width: int
    preprocessing: Preprocessing = Preprocessing()
    confidence: float | None = None  # chosen by the evaluation: no class is named below it; above 1, none ever is
    caption_precision: float | None = None  # the fraction of named photos that should be named correctly


class Prediction(NamedTuple):
    """The prediction of a model for one photo. Probabilities are 0-1."""

    probabilities: dict[str, float]  # by class, the most likely first
    confident: bool  # whether the most likely class is to be named

    @property
    def class_name(self) -> str:
        """The most likely class."""
        return next(iter(self.probabilities))

    @property
    def probability(self) -> float:
        """The probability of the most likely class."""
        return self.probabilities[self.class_name]

    @property
    def named(self) -> str | None:
        """The class to name in the caption, or None if its probability is below the confidence."""
        return self.class_name if self.confident else None


class ServedModel:
    """A version loaded into memory. Threads may share it, and its folder may be removed."""

    def __init__(self, version: int, card: Card, saved_model: Any) -> None:
        import tensorflow as tf

        from components.images.resize import crop_and_resize

        self.version = version
        self.card = card
        self._saved_model = saved_model  # kept, because its signatures do not keep their variables alive
        classify = saved_model.signatures["serving_default"]

        def resize(photo: tf.Tensor) -> tf.Tensor:
            return crop_and_resize(photo, card.image_height, card.image_width)

        def answer(photo: tf.Tensor) -> tf.Tensor:
            return classify(image=resize(photo)[None])["probabilities"][0]

        any_size = tf.TensorSpec((None, None, 3), tf.uint8)
        self._answer = tf.function(answer, input_signature=[any_size], autograph=False)
        self._resize = tf.function(resize, input_signature=[any_size], autograph=False)

    def warm_up(self) -> None:
        """Predicts a blank image, because the first prediction takes longer.

        Raises ValueError if the model does not give one probability per class of its card.
        """
        import tensorflow as tf

        blank = tf.zeros((self.card.image_height, self.card.image_width, 3), tf.uint8)
        answers, classes = len(self._answer(blank)), len(self.card.class_names)
        if answers != classes:
            raise ValueError(f"it gives {answers} probabilities, its model card names {classes} classes")

    @property
    def confidence(self) -> float:
        """The smallest probability at which a class is named."""
        return DEFAULT_CONFIDENCE if self.card.confidence is None else self.card.confidence

    def read(self, file: Path | IO[bytes]) -> Image.Image:
        """Returns the photo in a file as `predict` takes it: RGB, upright, its shorter side shrunk as it is decoded.

        Raises UnreadableError if the file gives no image.
        """
        from components.images.photos import read_photo

        side = max(READ_SIDE_PIXELS, 2 * self.card.image_height, 2 * self.card.image_width)
        return read_photo(file, shorter_side_pixels=side).pixels

    def predict(self, photo: Image.Image) -> Prediction:
        """Returns the prediction for an upright RGB image of any size. It is cropped and resized as the card says."""
        import numpy as np

        return self.judge(self._answer(np.asarray(photo)).numpy())

    def resize(self, photo: Image.Image) -> NDArray[np.uint8]:
        """Returns an upright RGB image, cropped and resized as the card says: uint8 (height, width, 3)."""
        import numpy as np

        pixels: NDArray[np.uint8] = np.asarray(photo)
        if pixels.shape[:2] == (self.card.image_height, self.card.image_width):
            return pixels  # as `crop_and_resize` would, in a hundredth of the time
        resized: NDArray[np.uint8] = self._resize(pixels).numpy()
        return resized

    def classify(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the probabilities (n, classes) of resized images, uint8 (n, height, width, 3)."""
        import tensorflow as tf

        answers = self._saved_model.signatures["serving_default"](image=tf.constant(images))
        probabilities: NDArray[np.float32] = answers["probabilities"].numpy()
        return probabilities

    def judge(self, probabilities: NDArray[np.float32], most: int | None = None) -> Prediction:
        """Returns the prediction that the probabilities of all classes, (classes,), mean; of the `most` likely ones."""
        import numpy as np

        order = np.argsort(-probabilities, kind="stable")[:most]
        by_class = {self.card.class_names[index]: float(probabilities[index]) for index in order}
        return Prediction(by_class, float(probabilities[order[0]]) >= self.confidence)


def find_version(root: str | Path, version: int | None = None, *, with_model: bool = True) -> Path:
    """Returns the folder of the given version, or of the latest one.

    From a root in object storage it is fetched; without the model, the card and the other documents alone.

    Raises:
        UsageError: there is no such version, or the root is none.
        LoadingError: the storage cannot be reached, or the version there is damaged.
    """
    try:
        registry = open_versions(str(root))
        folder = _folder(registry, version)
        return registry.fetch_model(folder) if with_model else folder
    except OSError as error:
        raise LoadingError(f"What is published in {root} cannot be read: {error}") from error


def _folder(registry: Registry, version: int | None) -> Path:
    pushed = registry.folder
    if version is None:
        if (latest := latest_version(pushed)) is None:
            raise UsageError(
                f"No version is in {registry.place} yet. Make one with `python -m pipeline.run`, or say where it is "
                "with --pipeline_root."
            )
        return latest
    if not (pushed / str(version)).is_dir():
        found = ", ".join(str(each) for each in numbers(pushed)) or "none"
        raise UsageError(f"--version {version} is not in {registry.place}. There: {found}.")
    return pushed / str(version)


def load(version: Path) -> ServedModel:
    """Loads a published version from its folder. This takes some seconds, more the first time.

    Raises:
        LoadingError: the folder holds no model that this code can serve.
    """
    card = read_card(version)
    import tensorflow as tf

    try:
        model = ServedModel(int(version.name), card, tf.saved_model.load(str(version)))
        model.warm_up()
    except Exception as error:  # the loader raises many kinds of errors for damaged files
        raise LoadingError(f"{version} cannot be loaded: {_first_line(error)}. Push it again.") from error
    return model


def read_card(version: Path) -> Card:
    """Returns the model card of a version. Raises LoadingError if this code cannot serve what it describes."""
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
