"""Recipes: everything that says how a network is trained, by name. Any value can be overridden in the config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from components.component import Config

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
# JSON has lists, Python has tuples: both are taken.
Widths = Annotated[tuple[Annotated[int, Field(gt=0, strict=True)], ...], Field(min_length=1, strict=False)]
Sizes = Annotated[
    tuple[Annotated[tuple[Fraction, Annotated[float, Field(ge=0.5, le=1)]], Field(strict=False)], ...],
    Field(min_length=1, strict=False),
]

Window = Annotated[tuple[Fraction, Fraction], Field(strict=False)]

IMAGENET = "imagenet"  # as `backbone_weights`: Keras's download

# airbench gives learning rates and decays "per 1,024 examples, as if without momentum" of 0.85.
NESTEROV_SCALE = 1024 * (1 + 1 / (1 - 0.85))


class Recipe(Config):
    """A network, an optimizer, a schedule and an augmentation."""

    network: Literal["whitened", "tutorial", "resnet", "pretrained"]
    image_size_pixels: int | None = Field(
        default=None, gt=0, description="both sides; null: the data set's own size, or 64 where sizes differ"
    )
    activation: Literal["relu", "gelu"] = Field(default="relu", description="of `whitened`")
    widths: Widths = Field(
        default=(64, 256, 256), description="of the three blocks of `whitened`, or of the stages of `resnet`"
    )
    blocks_per_width: Widths = Field(default=(3, 4, 6, 3), description="of `resnet`: in each stage")
    convolutions_per_block: Literal[2, 3] = Field(default=2, description="of `whitened`; 3: the third one is residual")
    backbone: Literal["MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetV2B0"] = Field(
        default="MobileNetV3Large", description="of `pretrained`: a function of keras.applications"
    )
    backbone_weights: str = Field(
        default=IMAGENET, description='of `pretrained`: "imagenet" to have Keras download them, or the path of a file'
    )
    frozen_epochs: float = Field(default=0.0, ge=0, description="of the first: only the head is trained")

    epochs: Positive
    warm_start_epochs: Positive | None = Field(
        default=None,
        description="where training starts from a published version: so many of the schedule's last epochs; null: all",
    )
    early_stopping_patience_epochs: int | None = Field(
        default=None,
        gt=0,
        description="after so many epochs without a better validation accuracy, what is left of the schedule is run "
        "through in as many more, and the best epoch is exported; null: all epochs, and the last",
    )
    batch_size: int = Field(gt=0)
    easy_fraction: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="of the images: those of the lowest loss are left out of two in three epochs, from the third on, "
        "and others are seen twice instead",
    )
    resolution_schedule: Sizes = Field(
        default=((0.0, 1.0),),
        description="from which fraction of the training on, images are shrunk to which fraction of their size",
    )

    optimizer: Literal["nesterov", "muon", "adam"]
    # Of the gradient summed over a batch; for Adam of the mean; for Muon the filters' relative change a step.
    learning_rate: Positive
    bias_learning_rate: Positive
    head_learning_rate: Positive
    momentum: float = Field(default=0.85, ge=0, lt=1)
    muon_momentum: float = Field(default=0.85, ge=0, lt=1)
    weight_decay_per_example: float = Field(default=2e-6, ge=0, description="fraction of a weight")
    warmup_fraction: Fraction = Field(default=0.23, description="of the training, from the first rate to the full one")
    initial_rate_fraction: Fraction = Field(default=0.2, description="of the full learning rate, at the first step")
    final_rate_fraction: Fraction = Field(default=0.07, description="of the full learning rate, after the last step")
    learning_rate_decay_per_step: float = Field(
        default=0.0, ge=0, description="Keras's `decay`: rate / (1 + decay * step)"
    )
    whitening_bias_epochs: float = Field(default=3.0, ge=0, description="then it is frozen")
    lookahead_steps: int = Field(default=5, ge=0, description="every how many steps weights are averaged; 0: never")
    label_smoothing: float = Field(default=0.2, ge=0, lt=1)

    random_crop_area_fraction: Window | None = Field(
        default=None,
        description="from, to: a random window with such a part of the image is decoded; null: all of it, once",
    )
    crop_padding_pixels: int = Field(default=2, ge=0, le=8, description="reflected; a random crop follows")
    flip: Literal["alternating", "none"] = "alternating"
    cutout_pixels: int = Field(default=0, ge=0, description="side of the square that is blanked")
    mirror_averaging: bool = Field(default=False, description="the exported model averages an image and its mirror")

    @model_validator(mode="after")
    def _check(self) -> Self:
        starts = [start for start, _ in self.resolution_schedule]
        if starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError(f"resolution_schedule starts at 0 and rises; it has the starts {starts}")
        if self.network == "whitened" and len(self.widths) != 3:
            raise ValueError(f"{len(self.widths)} widths; the network `whitened` has three blocks: give it 3")
        if self.network == "resnet" and len(self.widths) != len(self.blocks_per_width):
            raise ValueError(
                f"{len(self.widths)} widths, and blocks_per_width for {len(self.blocks_per_width)} of them"
            )
        if self.network not in ("whitened", "resnet") and self.resolution_schedule != ((0.0, 1.0),):
            raise ValueError(
                f"the network `{self.network}` takes one image size: leave resolution_schedule at [[0, 1]]"
            )
        if self.network == "pretrained" and self.optimizer == "muon":
            raise ValueError("muon sets the norms of pretrained filters anew: take adam or nesterov")
        if self.frozen_epochs > self.epochs:
            raise ValueError(
                f"frozen_epochs is {self.frozen_epochs:g}, of {self.epochs:g} epochs: lower it, or train longer"
            )
        if (
            self.random_crop_area_fraction
            and not 0 < self.random_crop_area_fraction[0] <= self.random_crop_area_fraction[1]
        ):
            raise ValueError(
                "random_crop_area_fraction goes from the smallest to the largest part of the image, both above 0; "
                f"it is {list(self.random_crop_area_fraction)}"
            )
        return self


# The tutorial: Adam 1e-4 with Keras's decay 1e-6, batch 32; 81.2 % on CIFAR-10 after 100 epochs.
TUTORIAL = Recipe(
    network="tutorial",
    epochs=100,
    batch_size=32,
    optimizer="adam",
    learning_rate=1e-4,
    bias_learning_rate=1e-4,
    head_learning_rate=1e-4,
    weight_decay_per_example=0,
    warmup_fraction=0,
    final_rate_fraction=1,
    learning_rate_decay_per_step=1e-6,
    lookahead_steps=0,
    label_smoothing=0,
    crop_padding_pixels=0,
    flip="none",
)

# airbench94_muon (github.com/KellerJordan/cifar10-airbench) reaches 94 % of CIFAR-10 in 8 epochs of batches of 2,000.
# Here a quarter of that, for memory, smaller images first, and easy ones less often: 94.0 % mirrored (mean of 3 runs).
CIFAR94 = Recipe(
    network="whitened",
    activation="gelu",
    widths=(64, 256, 256),
    epochs=11,
    batch_size=500,
    easy_fraction=0.3,
    resolution_schedule=((0.0, 0.75), (0.4, 1.0)),
    optimizer="muon",
    learning_rate=0.15,
    muon_momentum=0.6,
    bias_learning_rate=0.053,
    head_learning_rate=0.67 * (9 / 256) ** 2,  # there, logits are divided by the 256 features and not by 9
    warmup_fraction=0,
    final_rate_fraction=0,
    mirror_averaging=True,
)

# 93.1 % mirrored (mean of 2 runs); with six epochs 92.9 %.
CIFAR93 = CIFAR94.model_copy(update={"epochs": 7.0, "activation": "relu", "easy_fraction": 0.0})

# The tutorial's 81.2 %, soonest on two cores: narrow, smaller images first. 81.7 % single view (mean of 5 runs).
CIFAR81 = CIFAR93.model_copy(
    update={
        "widths": (32, 64, 128),
        "epochs": 1.2,
        "learning_rate": 0.24,
        "head_learning_rate": 0.67 * (9 / 128) ** 2,
        "resolution_schedule": ((0.0, 0.75), (0.5, 1.0)),
        "whitening_bias_epochs": 1.0,
        "mirror_averaging": False,
    }
)

# airbench96, for a GPU: 37 epochs.
CIFAR96 = Recipe(
    network="whitened",
    activation="gelu",
    widths=(128, 384, 512),
    convolutions_per_block=3,
    epochs=37,
    batch_size=1024,
    optimizer="nesterov",
    learning_rate=9.0 / NESTEROV_SCALE,
    bias_learning_rate=64 * 9.0 / NESTEROV_SCALE,
    head_learning_rate=9.0 / NESTEROV_SCALE,
    weight_decay_per_example=0.012 / NESTEROV_SCALE,
    crop_padding_pixels=4,
    cutout_pixels=12,
    mirror_averaging=True,
)

# For a few thousand images: small batches, many epochs, images that grow from half their size.
# The embedded sample: 81.0 % single view, 81.5 % mirrored (one run, 11.5 TFLOP).
SMALL_DATA = CIFAR93.model_copy(
    update={
        "widths": (32, 96, 192),
        "epochs": 26.0,
        "learning_rate": 0.24,
        "batch_size": 125,
        "head_learning_rate": 0.67 * (9 / 192) ** 2,
        "resolution_schedule": ((0.0, 0.5), (0.4, 0.75), (0.75, 1.0)),
    }
)

# ResNet-50 for ImageNet as Goyal et al. 2017 trained it (arXiv 1706.02677, section 5.1; 76.4 % there after 90 epochs):
# rate 0.1 and decay 1e-4 for batches of 256 with momentum 0.9. Of the sum over a batch that rate is 0.1 / 256.
RESNET50 = Recipe(
    network="resnet",
    widths=(64, 128, 256, 512),
    blocks_per_width=(3, 4, 6, 3),
    image_size_pixels=224,
    epochs=90,
    batch_size=256,
    optimizer="nesterov",
    learning_rate=0.1 / 256,
    bias_learning_rate=0.1 / 256,
    head_learning_rate=0.1 / 256,
    momentum=0.9,
    weight_decay_per_example=1e-4 * 0.1 / 256,
    warmup_fraction=5 / 90,
    initial_rate_fraction=0.1,
    final_rate_fraction=0.0,
    lookahead_steps=0,
    label_smoothing=0.1,
    random_crop_area_fraction=(0.08, 1.0),
    crop_padding_pixels=0,
)

# Fine-tuning for larger photos, by Keras's guide (keras.io/guides/transfer_learning): rates and phases are its own. The
# windows are those that such networks are pretrained with.
FINETUNE = Recipe(
    network="pretrained",
    image_size_pixels=224,
    epochs=15,
    frozen_epochs=10,
    batch_size=32,
    optimizer="adam",
    learning_rate=1e-5,
    bias_learning_rate=1e-5,
    head_learning_rate=1e-3,
    weight_decay_per_example=0,
    warmup_fraction=0,
    final_rate_fraction=0.07,
    lookahead_steps=0,
    label_smoothing=0.1,
    random_crop_area_fraction=(0.35, 1.0),
    crop_padding_pixels=0,
)

RECIPES: dict[str, Recipe] = {
    "tutorial": TUTORIAL,
    "small_data": SMALL_DATA,
    "cifar81": CIFAR81,
    "cifar93": CIFAR93,
    "cifar94": CIFAR94,
    "cifar96": CIFAR96,
    "resnet50": RESNET50,
    "finetune": FINETUNE,
}
