"""The config of a training: a network, an optimizer, a schedule and an augmentation, checked as a whole."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from components.component import Config

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
# JSON has lists, Python has tuples: both are accepted.
Widths = Annotated[tuple[Annotated[int, Field(gt=0, le=65536, strict=True)], ...], Field(min_length=1, strict=False)]
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
    "backbone": ("network", ("pretrained", "efficientnet_lite")),
    "backbone_weights": ("network", ("pretrained",)),
    "frozen_epochs": ("network", ("pretrained",)),
    "momentum": ("optimizer", ("nesterov", "muon")),
    "weight_decay_per_example": ("optimizer", ("nesterov", "muon")),
    "decay_biases": ("optimizer", ("nesterov", "muon")),
    "muon_momentum": ("optimizer", ("muon",)),
}


class Recipe(Config):
    """The values of a recipe: a network, an optimizer, a schedule and an augmentation."""

    network: Literal["whitened", "tutorial", "resnet", "efficientnet_lite", "pretrained"] = Field(
        description="The kind of network: whitened (airbench's), tutorial (the Keras example's) and resnet start from "
        "new weights; efficientnet_lite starts from ImageNet weights that an installed package brings, and pretrained "
        "from those of one of keras.applications."
    )
    image_size_pixels: int | None = Field(
        default=None,
        gt=0,
        description="The height and width of the network's input in pixels; null takes the images' own size if "
        "all have one of at most 64 x 64 pixels, and 64 otherwise.",
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
    backbone: Literal[
        "EfficientNetLite0",
        "EfficientNetLite1",
        "EfficientNetLite2",
        "MobileNetV2",
        "MobileNetV3Small",
        "MobileNetV3Large",
        "EfficientNetV2B0",
    ] = Field(
        default="EfficientNetLite0",
        description="The pretrained network to start from: an EfficientNetLite for the network efficientnet_lite, one "
        "of the others for the network pretrained.",
    )
    backbone_weights: str = Field(
        default=IMAGENET,
        description='The weights of the backbone: "imagenet" has Keras download them, and any other text is the path '
        "of a weights file.",
    )
    frozen_epochs: float = Field(
        default=0.0, ge=0, description="The number of first epochs in which only the head is trained."
    )

    class_balance: Fraction = Field(
        default=0.0,
        description="How much the images of rare classes count more in training: 0 counts all images the same, 1 all "
        "classes.",
    )

    epochs: float = Field(
        ge=0,
        description="The number of passes over the training images; a fraction is allowed. 0 leaves the network "
        "efficientnet_lite as it is, with a head that is fitted on stored features.",
    )
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

    @property
    def uses_embeddings(self) -> bool:
        """Whether the head is fitted on features that embed has stored."""
        return self.network == "efficientnet_lite"

    @model_validator(mode="after")
    def _check_pretrained(self) -> Self:
        if not self.epochs and not self.uses_embeddings:
            raise ValueError(f"epochs is 0; the network `{self.network}` has no stored features to learn from")
        if self.backbone.startswith("EfficientNetLite") is (self.network == "pretrained"):
            have = "MobileNetV2 and others of keras.applications"
            have = (
                have if self.network == "pretrained" else "EfficientNetLite0, EfficientNetLite1 and EfficientNetLite2"
            )
            raise ValueError(f"the network `{self.network}` has no backbone `{self.backbone}`; it has {have}")
        if self.network in ("pretrained", "efficientnet_lite") and self.optimizer == "muon":
            raise ValueError("muon sets the norms of pretrained filters anew: take adam or nesterov")
        if self.frozen_epochs > self.epochs:
            raise ValueError(
                f"frozen_epochs is {self.frozen_epochs:g}, of {self.epochs:g} epochs: lower it, or train longer"
            )
        return self

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
        if self.network in ("tutorial", "pretrained") and self.resolution_schedule != ((0.0, 1.0),):
            raise ValueError(
                f"the network `{self.network}` takes one image size: leave resolution_schedule at [[0, 1]]"
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
