"""Defines the recipes: all values that say how a network is trained, by name. The config can override any of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from components.component import Config

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
# JSON has lists, Python has tuples: both are accepted.
Widths = Annotated[tuple[Annotated[int, Field(gt=0, strict=True)], ...], Field(min_length=1, strict=False)]
Sizes = Annotated[
    tuple[Annotated[tuple[Fraction, Annotated[float, Field(ge=0.5, le=1)]], Field(strict=False)], ...],
    Field(min_length=1, strict=False),
]

Window = Annotated[tuple[Fraction, Fraction], Field(strict=False)]

IMAGENET = "imagenet"  # the `backbone_weights` that Keras downloads

# Keys that only some networks or optimizers read.
READERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "activation": ("network", ("whitened",)),
    "widths": ("network", ("whitened", "resnet")),
    "blocks_per_width": ("network", ("resnet",)),
    "convolutions_per_block": ("network", ("whitened",)),
    "whitening_bias_epochs": ("network", ("whitened",)),
    "backbone": ("network", ("pretrained",)),
    "backbone_weights": ("network", ("pretrained",)),
    "frozen_epochs": ("network", ("pretrained",)),
    "momentum": ("optimizer", ("nesterov", "muon")),
    "weight_decay_per_example": ("optimizer", ("nesterov", "muon")),
    "decay_biases": ("optimizer", ("nesterov", "muon")),
    "muon_momentum": ("optimizer", ("muon",)),
}

# airbench gives learning rates and decays "per 1,024 examples, as if without momentum" of 0.85.
NESTEROV_SCALE = 1024 * (1 + 1 / (1 - 0.85))


class Recipe(Config):
    """The values of a recipe: a network, an optimizer, a schedule and an augmentation."""

    network: Literal["whitened", "tutorial", "resnet", "pretrained"] = Field(
        description="The kind of network: whitened (airbench's), tutorial (the Keras example's), resnet (new weights) "
        "or pretrained (one of keras.applications)."
    )
    image_size_pixels: int | None = Field(
        default=None,
        gt=0,
        description="The height and width of the network's input in pixels; null takes the dataset's own size, or 64 "
        "if its images differ in size.",
    )
    activation: Literal["relu", "gelu"] = Field(
        default="relu", description="The activation function of the network whitened; other networks have their own."
    )
    widths: Widths = Field(
        default=(64, 256, 256),
        description="The number of channels in each of the three blocks of the network whitened, or in the stages of "
        "the network resnet.",
    )
    blocks_per_width: Widths = Field(
        default=(3, 4, 6, 3), description="The number of blocks in each stage of the network resnet."
    )
    convolutions_per_block: Literal[2, 3] = Field(
        default=2,
        description="The number of convolutions in each block of the network whitened; a third one is residual.",
    )
    backbone: Literal["MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetV2B0"] = Field(
        default="MobileNetV3Large",
        description="The network of keras.applications that the network pretrained starts from.",
    )
    backbone_weights: str = Field(
        default=IMAGENET,
        description='The weights of the backbone: "imagenet" has Keras download them, and any other text is the path '
        "of a weights file.",
    )
    frozen_epochs: float = Field(
        default=0.0, ge=0, description="The number of first epochs in which only the head is trained."
    )

    epochs: Positive = Field(description="The number of passes over the training images; a fraction is allowed.")
    warm_start_epochs: Positive | None = Field(
        default=None,
        description="The number of the schedule's last epochs that are trained after a warm start; null trains all.",
    )
    early_stopping_patience_epochs: int | None = Field(
        default=None,
        gt=0,
        description="The number of epochs without a better validation accuracy after which training runs through the "
        "rest of its schedule in as many epochs more and exports the best epoch; null trains all epochs and exports "
        "the last.",
    )
    batch_size: int = Field(gt=0, description="The number of images in one training step.")
    easy_fraction: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="The fraction of images, those with the lowest loss, that two in three epochs leave out from the "
        "third epoch on; other images are seen twice in their place.",
    )
    resolution_schedule: Sizes = Field(
        default=((0.0, 1.0),),
        description="Pairs of a fraction of the training (0 to 1, the first is 0) and the fraction of their height and "
        "width (0.5 to 1) to which images are shrunk from then on.",
    )

    optimizer: Literal["nesterov", "muon", "adam"] = Field(
        description="The optimizer: nesterov (SGD with momentum), muon (on the filters; nesterov on the rest) or adam."
    )
    learning_rate: Positive = Field(
        description="The full learning rate of the filters: for nesterov per gradient summed over a batch, for adam "
        "per mean gradient, for muon the relative change of the filters in one step."
    )
    bias_learning_rate: Positive = Field(
        description="The full learning rate of biases, per summed gradient (nesterov, muon) or mean gradient (adam)."
    )
    head_learning_rate: Positive = Field(
        description="The full learning rate of the last layer, per summed gradient (nesterov, muon) or mean gradient "
        "(adam)."
    )
    momentum: float = Field(
        default=0.85,
        ge=0,
        lt=1,
        description="The momentum of nesterov, which also trains the biases and the head under muon.",
    )
    muon_momentum: float = Field(default=0.85, ge=0, lt=1, description="The momentum of muon.")
    weight_decay_per_example: float = Field(
        default=2e-6,
        ge=0,
        description="The fraction by which nesterov shrinks weights for each image of a batch, at the full rate and "
        "before momentum. Under muon it acts on the biases and the head alone.",
    )
    decay_biases: bool = Field(
        default=True, description="Whether biases, and the scale and shift of batch normalization, decay as well."
    )
    warmup_fraction: Fraction = Field(
        default=0.23, description="The fraction of the training in which learning rates rise to their full value."
    )
    initial_rate_fraction: Fraction = Field(
        default=0.2,
        description="The learning rate at the first step, as a fraction of the full one, if there is a warmup.",
    )
    final_rate_fraction: Fraction = Field(
        default=0.07, description="The learning rate after the last step, as a fraction of the full one."
    )
    learning_rate_decay_per_step: float = Field(
        default=0.0,
        ge=0,
        description="The decay of Keras's optimizers, by which rates are divided as well: 1 + decay * step.",
    )
    whitening_bias_epochs: float = Field(
        default=3.0,
        ge=0,
        description="The number of first epochs in which the whitening layer's bias is trained; then it is frozen.",
    )
    lookahead_steps: int = Field(
        default=5,
        ge=0,
        description="The number of steps between two averagings of the weights with a slow copy; 0 never averages.",
    )
    label_smoothing: float = Field(
        default=0.2, ge=0, lt=1, description="The fraction of each label that is spread evenly over all classes."
    )

    random_crop_area_fraction: Window | None = Field(
        default=None,
        description="The smallest and the largest fraction of an image's area that the random window of each epoch "
        "covers; null decodes whole images, once.",
    )
    crop_padding_pixels: int = Field(
        default=2,
        ge=0,
        le=8,
        description="The most pixels by which images are shifted at random each way; what is shifted in is reflected.",
    )
    flip: Literal["alternating", "none"] = Field(
        default="alternating",
        description="Whether training images are mirrored: alternating mirrors each image in every other epoch.",
    )
    cutout_pixels: int = Field(
        default=0,
        ge=0,
        description="The side in pixels of the gray square that hides a part of each image; 0 hides none.",
    )
    mirror_averaging: bool = Field(
        default=False, description="Whether the exported model averages its answers to an image and its mirror image."
    )

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


# The tutorial (Keras's CIFAR-10 example): Adam 1e-4, decay 1e-6, batch 32; 81.2 % on CIFAR-10 after 100 epochs.
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
# Here batches are a quarter of that, to save memory, images are smaller at first, and easy ones are seen less often:
# 94.0 % mirrored (mean of 3 runs).
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

# Reaches the tutorial's 81.2 % soonest on two cores: a narrow network, and smaller images first. 81.7 % single view
# (mean of 5 runs).
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
# rate 0.1 and decay 1e-4 for batches of 256 with momentum 0.9. For summed gradients, the rate is 0.1 / 256.
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
    decay_biases=False,
    warmup_fraction=5 / 90,
    initial_rate_fraction=0.1,
    final_rate_fraction=0.0,
    lookahead_steps=0,
    label_smoothing=0.1,
    random_crop_area_fraction=(0.08, 1.0),
    crop_padding_pixels=0,
)

# Fine-tuning for larger photos. Rates and phases are those of Keras's guide (keras.io/guides/transfer_learning); random
# windows are as in the pretraining of such networks.
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
