"""The option for what training alone needs of its machine, as Beam's hints: `--train_resource_hints=min_ram=16GB`."""

from __future__ import annotations

from argparse import ArgumentParser

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.resources import parse_resource_hints

from pipeline.errors import UsageError

TRAIN = "train"


class TrainOptions(PipelineOptions):
    """The option `--train_resource_hints`. Beam's own `--resource_hints` applies to all components."""

    @classmethod
    def _add_argparse_args(cls, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--train_resource_hints",
            action="append",
            metavar="HINT=VALUE",
            help="a Beam resource hint for training alone, such as min_ram=16GB or "
            "accelerator=type:nvidia-tesla-t4;count:1;install-nvidia-driver; may be repeated",
        )


def resource_hints(component: str, options: PipelineOptions) -> dict[str, str]:
    """Returns the value of each hint by name; none except for training. Raises UsageError for unknown hints."""
    if component != TRAIN:
        return {}
    hints = {}
    for hint in options.view_as(TrainOptions).train_resource_hints or ():
        name, _, value = hint.partition("=")
        try:
            parse_resource_hints({name: value})
        except ValueError as error:
            raise UsageError(
                f"--train_resource_hints={hint}: {error} Known are accelerator=TEXT, cpu_count=N and min_ram=16GB."
            ) from error
        hints[name] = value
    return hints
