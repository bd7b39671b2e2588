"""Defines Model, what train exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from components.artifacts.artifact import Artifact, Document
from components.artifacts.cross_validated import CrossValidated


class StartedFrom(Document):
    """The origin of a warm start's weights: a published version, or new weights and the reason for them."""

    version: int | None = None
    model_digest: str = ""
    reason: str = ""
    doubt: str = ""  # why the version may have been trained on images of the test split; empty: it was not

    def __str__(self) -> str:
        if self.version is None:
            return f"new weights: {self.reason}"
        return f"version {self.version}" + (f" ({self.doubt})" if self.doubt else "")


class Model(Artifact):
    """A trained classifier that takes raw pixels: normalization is inside.

    saved_model/   signatures, all with a free batch size:
                   `serving_default`  image: uint8 (n, height, width, 3), 0-255, RGB
                   `encoded`          image_bytes: string (n,), JPEG, PNG, GIF or BMP, turned as EXIF says, laid on
                                      white, cropped and resized as in `components.images.resize`; ICC profiles are
                                      ignored: colors are taken as sRGB
                                      both -> probabilities: float32 (n, classes), class_id: int64 (n,),
                                      class_name: string (n,)
                   `pixels`           image: float32 (n, height, width, 3), 0-255 -> probabilities: for converters
    history.json   one record an epoch: epoch, learning_rate, loss, accuracy; left_out_images if the recipe leaves easy
                   images out; validation_loss and validation_accuracy if there is a validation split
    validation.npz if there is a validation split: the exported model's largest probability for each of its images, and
                   whether the predicted class is right: confidence float32 (n,), correct bool (n,). A head that was
                   fitted on stored features adds the training images, each judged by a head fitted without it
    logs/          TensorBoard event files; training.json: seconds, images_per_second, peak memory
    """

    REMARKS: ClassVar[tuple[str, ...]] = ("recipe_reason",)

    class_names: tuple[str, ...]
    image_height: int
    image_width: int
    recipe: str
    recipe_reason: str = ""  # why it is this recipe, if it was chosen by the images
    precision: Literal["float32", "bfloat16"] = "float32"  # of the convolutions while training
    parameter_count: int
    epochs: float
    trained_images: int  # images in the training split
    validation_accuracy: float | None = None
    temperature: float = 1.0  # divides the logits inside the model; fitted on the validation split
    started_from: StartedFrom | None = None  # None: the config asks for no warm start
    # Over the training and validation images, if only a head was fitted: no head learns from the validation images.
    cross_validated: CrossValidated | None = None

    @property
    def validation_file(self) -> Path:
        """The predictions of the exported model for the validation split.

        The file exists only if there is such a split.
        """
        return self.folder / "validation.npz"

    @property
    def saved_model(self) -> Path:
        """The folder of the SavedModel."""
        return self.folder / "saved_model"

    def summary(self) -> dict[str, Any]:
        """Returns what was trained, and its accuracy on the validation split."""
        return {
            "recipe": self.recipe,
            "precision": self.precision,
            "parameters": self.parameter_count,
            "epochs": self.epochs,
            "validation_accuracy": self.validation_accuracy,
            **({"cross_validated_accuracy": self.cross_validated.accuracy} if self.cross_validated else {}),
            **({"started_from": str(self.started_from)} if self.started_from else {}),
            **({"doubt": self.started_from.doubt} if self.started_from and self.started_from.doubt else {}),
            **({"recipe_reason": self.recipe_reason} if self.recipe_reason else {}),
        }
