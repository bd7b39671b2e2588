"""Defines the recipes: all values that say how a network is trained, by name. The config can override any of them."""

from __future__ import annotations

from components.recipe_choice import AUTO, IMAGE_SIZE_PIXELS
from components.train.recipe import Recipe

# airbench gives learning rates and decays "per 1,024 examples, as if without momentum" of 0.85.
NESTEROV_SCALE = 1024 * (1 + 1 / (1 - 0.85))

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

# For photos: the frozen features of EfficientNet-Lite0 (its authors' size is 224 pixels), and a head fitted on them.
TRANSFER = Recipe(
    network="efficientnet_lite",
    image_size_pixels=IMAGE_SIZE_PIXELS["transfer"],
    epochs=0,
    batch_size=50,
    optimizer="nesterov",
    learning_rate=1e-3 / 50,
    bias_learning_rate=1e-3 / 50,
    head_learning_rate=1e-3 / 50,
    momentum=0.9,
    weight_decay_per_example=0,
    warmup_fraction=0.1,
    initial_rate_fraction=0.1,
    final_rate_fraction=0.0,
    lookahead_steps=0,
    label_smoothing=0.1,
    crop_padding_pixels=8,
)

# All of EfficientNet-Lite0, from the head that `transfer` fits on; the images grow. Adam's steps do not depend on the
# size of that head's weights, which are large where the classes are easy: by Nesterov momentum it diverged.
FINETUNE = TRANSFER.model_copy(
    update={
        "image_size_pixels": IMAGE_SIZE_PIXELS["finetune"],
        "epochs": 4.0,
        "optimizer": "adam",
        "learning_rate": 3e-4,
        "bias_learning_rate": 3e-4,
        "head_learning_rate": 3e-4,
        "momentum": 0.85,
        "resolution_schedule": ((0.0, 0.8), (0.5, 1.0)),
        "mirror_averaging": True,
    }
)

# Fine-tuning of a network that Keras downloads. Rates and phases are those of Keras's guide
# (keras.io/guides/transfer_learning); random windows are as in the pretraining of such networks.
FINETUNE_KERAS = Recipe(
    network="pretrained",
    backbone="MobileNetV3Large",
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
    "transfer": TRANSFER,
    "finetune": FINETUNE,
    "finetune_keras": FINETUNE_KERAS,
}

# Stands for the recipe that `auto` takes until the images are known.
UNDECIDED = TRANSFER.model_copy(update={"image_size_pixels": None})
# What may be given beside `auto`: the recipes that it takes agree on these, and read them.
GIVEN_WITH_AUTO = frozenset({"backbone", "class_balance", "image_size_pixels"})


def recipe_named(name: str) -> Recipe:
    """Returns the recipe of this name, or what stands for the one that `auto` takes. Raises KeyError."""
    return UNDECIDED if name == AUTO else RECIPES[name]
