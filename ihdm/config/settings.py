"""Types of settings, and the blocks of a configuration file that describe data, training and evaluation.

`levels`, `prior_noise`, `rounding` and `reference` choose between the paper's description, the default, and the
released code; see docs/reproduce.md.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
RESERVED_NAMES = ("nan", "na", "inf", "infinity", "null", "none", "true", "false")
"""Names that pandas would not read back as text."""


def _require_text(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError(f"tables cannot hold the name '{name}', which is read as a value; choose another")
    return name


Name = Annotated[
    str,
    Field(
        pattern=NAME_PATTERN, max_length=64, description="lower-case letters, digits and underscores, a letter first"
    ),
    AfterValidator(_require_text),
]
VariantName = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]*(-[a-z0-9_.]+)?$",
        max_length=128,
        description="name of an experiment or of a variant, such as digits-seed1",
    ),
]
# Upper bounds are sanity limits: they stop a plan, or a job, that would never end.
Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
CountFromZero = Annotated[int, Field(ge=0, le=10**9)]
AtLeastTwo = Annotated[int, Field(ge=2, le=10**9)]
AtLeastThree = Annotated[int, Field(ge=3, le=10**9)]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
Few = Annotated[int, Field(ge=1, le=1000)]
ImageSize = Annotated[int, Field(ge=1, le=4096)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
NumLevels = Annotated[int, Field(ge=1, le=100_000)]
NoiseWidth = Annotated[float, Field(gt=0, le=10)]
BlurWidth = Annotated[float, Field(gt=0, le=100_000)]
DeltaRatio = Annotated[float, Field(ge=0, le=1000)]
NumExtraDraws = Annotated[int, Field(ge=0, le=100_000)]
NumResamples = Annotated[int, Field(ge=20, le=100_000)]


def _usable_path(path: str) -> str:
    """Expand ``~``, and refuse paths that no file system or log can hold."""
    if path.startswith("~"):
        try:
            path = str(Path(path).expanduser())
        except RuntimeError:
            raise ValueError(
                "the home folder does not exist; use ~, ~USER of an existing user, or a full path"
            ) from None
    if not path.isprintable():
        raise ValueError("a path must not contain line breaks or other invisible characters")
    if any(len(part.encode()) > 255 for part in path.split("/")):
        raise ValueError("each name in a path must have at most 255 bytes")
    return path


def _output_path(path: str) -> str:
    if ".." in path.split("/"):
        raise ValueError("a path must not contain '..'; use a path below this folder, or an absolute one")
    if os.path.normpath(path) in (".", "/", "//"):
        raise ValueError("the results need a separate folder")
    if {"{", "}"} & set(path):
        raise ValueError("a path must not contain { or }, which Snakemake reads as wildcards")
    return os.path.normpath(path)


Folder = Annotated[
    str, Field(min_length=1, max_length=1000, json_schema_extra={"format": "path"}), AfterValidator(_usable_path)
]
"""An absolute or relative path; a leading ``~`` is the home folder."""
OutputFolder = Annotated[Folder, AfterValidator(_output_path)]
"""A folder for results only."""
Value = TypeVar("Value")
PerDataset = Annotated[
    Annotated[Value, Tag("number")] | Annotated[dict[Name, Value], Tag("numbers")],
    Discriminator(lambda value: "numbers" if isinstance(value, dict) else "number"),
]
"""One number for all data sets, or one per data set by name."""
Swept = dict[Name, Annotated[tuple[Value, ...], Field(max_length=100)]]
"""Values per experiment."""

Levels = Literal["uniform", "stratified", "as_released"]
"""How a training batch draws its levels k; `stratified` spreads each batch evenly over 1…K."""
PriorNoise = Literal["delta", "sigma", "none"]
"""Bandwidth of the kernel density estimate from which sampling starts."""
Rounding = Literal["nearest", "truncate"]
"""How generated images become 8-bit."""
Reference = Literal["training", "as_released"]
"""The images that samples are compared with: the training array, or the same images squashed instead of cropped."""
Extractor = Literal["dct", "pca", "classifier", "efficientnet", "inception"]
"""Feature space of distances; only distances of `inception` features are FID and KID."""
Precision = Literal["no", "fp16", "bf16"]
"""Precision of the network: float32, or mixed. Its first convolution, the blur and losses stay in float32."""


class Settings(BaseModel):
    """Base of all settings: immutable; unknown keys and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def _mistakes(self) -> Iterator[str]:
        """Yield one line for each contradiction between values that are valid by themselves."""
        yield from ()

    @model_validator(mode="after")
    def _require_consistent(self) -> Self:
        if mistakes := list(dict.fromkeys(self._mistakes())):
            raise ValueError("\n".join(mistakes))
        return self


class DatasetSettings(Settings):
    """Images of one size from one source."""

    source: Name = Field(description="source of the images: a name that `ihdm data sources` lists")
    image_size: ImageSize = Field(description="height and width in pixels")
    image_channels: Literal[1, 3] = Field(description="1 for gray, 3 for color")
    path: Folder | None = Field(
        default=None,
        description="folder of the images, for sources that need one (see `ihdm data sources`): absolute, or relative "
        "to data.root",
    )
    skip_broken: bool = Field(default=False, description="skip and report images that cannot be decoded")
    resize: Literal["crop", "squash"] = Field(
        default="crop", description="how an image becomes square: by a center crop, or by squashing the whole image"
    )
    crops: Count | None = Field(
        default=None,
        description="random square crops, of random size, per image of a folder, for small sets of large images; by "
        "default one center crop",
    )

    def _mistakes(self) -> Iterator[str]:
        if self.crops and self.resize == "squash":
            yield "crops cannot be combined with resize 'squash'"


class TrainingSettings(Settings):
    """Optimization: Adam with linear warm-up, gradient clipping and an exponential moving average of the weights."""

    steps: Count = Field(description="optimizer steps")
    batch_size: BatchSize = Field(description="images per step, over all devices")
    learning_rate: Annotated[float, Field(gt=0, le=10)] = Field(description="learning rate of Adam after the warm-up")
    warmup_steps: CountFromZero = Field(default=5000, description="steps of linear warm-up")
    learning_rate_decay: Literal["none", "cosine"] = Field(
        default="none", description="after the warm-up: constant, or a cosine to 0 at the last step"
    )
    ema_decay: Fraction = Field(description="decay of the exponential moving average of the weights")
    gradient_clip: Positive = Field(default=1.0, description="largest norm of the gradient")
    mixed_precision: Precision = Field(default="no", description="precision of the network")
    levels: Levels = Field(
        default="uniform",
        description="how levels are drawn: from 1…K, spread evenly over each batch, or from 1…K−1 as in the released "
        "code",
    )


class RunSettings(Settings):
    """How training runs and what it reports. A change triggers no retraining, even of an unfinished training."""

    micro_batch: BatchSize | None = Field(
        default=None, description="largest number of images on a device at a time; by default its share of a step"
    )
    compile: bool = Field(default=False, description="use torch.compile on a GPU; slower on a CPU and ignored there")
    channels_last: bool = Field(
        default=False, description="use channels-last memory on a GPU; slower on a CPU and ignored there"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="recompute activations in the backward pass: less memory, about a third more time"
    )
    save_minutes: NotNegative = Field(default=5.0, description="minutes between saved training states")
    snapshot_every: Count | None = Field(
        default=None,
        description="steps between snapshots of the averaged network, whose samples are measured; by default none",
    )
    validate_every: Count = Field(
        default=5000,
        description="steps between validation passes (held-out losses and sample sheets); also after the last step",
    )
    num_validation_images: AtLeastTwo = Field(default=32, description="held-out images, evaluated at every level")
    num_previews: Few = Field(default=16, description="samples on a validation sheet")
    tracker: Literal["none", "tensorboard", "wandb"] = Field(
        default="none",
        description="experiment tracker for losses, learning rate and samples; its files are in tracking/ of the "
        "training state",
    )


class ComputeSettings(Settings):
    """How trained networks are evaluated. Every setting changes the last bits of the results."""

    precision: Precision = Field(default="no", description="precision of the network; fp16 needs a GPU")
    compile: bool = Field(default=False, description="use torch.compile on a GPU; ignored on a CPU")
    channels_last: bool = Field(default=False, description="use channels-last memory on a GPU; ignored on a CPU")


class DisentanglementSettings(Settings):
    """The grid of starts × noises."""

    num_starts: Annotated[int, Field(ge=2, le=1000)] = Field(default=12, description="starts, each with every noise")
    num_noises: Annotated[int, Field(ge=2, le=1000)] = Field(default=12, description="noises, each with every start")


class DiagnosticsSettings(Settings):
    """Sizes of the sampling diagnostics."""

    num_pairs: AtLeastTwo = Field(default=32, description="pairs of samples to interpolate between")
    num_positions: AtLeastThree = Field(default=9, description="images per interpolation, both ends included")
    num_trees: AtLeastTwo = Field(default=12, description="starts whose trajectories branch")
    num_splits: Annotated[int, Field(ge=1, le=6)] = Field(
        default=4, description="binary splits of a trajectory; each start gives 2^num_splits samples"
    )
    num_trajectories: AtLeastTwo = Field(default=32, description="samples whose trajectories are stored")
    num_stages: AtLeastThree = Field(default=40, description="stored stages of a trajectory, both ends included")
    num_ranges: Annotated[int, Field(ge=1, le=100)] = Field(
        default=5, description="ranges of levels over which changes are summed"
    )
    num_gradients: AtLeastTwo = Field(default=16, description="samples at which input gradients are computed")


class EvaluationSettings(Settings):
    """How trained networks are sampled and measured. No change triggers retraining."""

    delta_ratio: DeltaRatio = Field(default=1.25, description="sampling noise δ/σ where none is swept")
    prior_noise: PriorNoise = Field(
        default="delta", description="bandwidth of the kernel density estimate from which sampling starts"
    )
    rounding: Rounding = Field(
        default="nearest",
        description="how generated images become 8-bit: rounded, or truncated as in the released code",
    )
    num_samples: AtLeastThree = Field(
        description="generated images per experiment and δ; at least three, because error bars leave some out"
    )
    num_compared: tuple[AtLeastThree, ...] = Field(
        default=(),
        max_length=100,
        description="sample sizes n for distances, ascending; by default num_samples. Spectra use the first",
    )
    reference: Reference = Field(
        default="training",
        description="images that samples are compared with: the training images, or whole images squashed to size, as "
        "released",
    )
    num_shards: Few = Field(
        default=1, description="jobs that share the samples of each experiment and δ; the number changes no byte"
    )
    micro_batch: PerDataset[BatchSize] = Field(
        description="images per batch when sampling, one number or one per data set; on a CPU the bytes of a sample "
        "depend on it"
    )
    num_likelihood_images: PerDataset[AtLeastTwo] = Field(
        description="test images of the likelihood bound, one number or one per data set"
    )
    num_memorization_images: PerDataset[AtLeastTwo] | None = Field(
        default=None,
        description="samples, and test images, whose nearest training images are searched, one number or one per data "
        "set; by default num_likelihood_images, at most num_samples",
    )
    num_calibration_images: Annotated[Count, Field(ge=10)] = Field(
        default=768, description="training images on which a network's residual variance is measured"
    )
    max_levels: NumLevels | None = Field(
        default=None,
        description="most levels at which networks are evaluated, evenly spaced; by default all. The paper's bound "
        "always uses all levels",
    )
    likelihood_draws: Few = Field(default=2, description="noise draws per test image and level")
    extra_draws: NumExtraDraws = Field(
        default=0, description="extra draws per level on average, allocated by the variance of the first draws"
    )
    num_resamples: NumResamples = Field(default=200, description="resamples of every interval")
    extractors: dict[Name, Extractor] = Field(description="feature space of distances, per data set")
    inception_weights: Folder | None = Field(
        default=None,
        description="folder of inception-2015-12-05.pt for the extractor 'inception', downloaded if missing; by "
        "default inception/ below data.root",
    )
    num_neighbors: Count = Field(default=5, description="k of precision, recall, density and coverage")
    extrapolate: bool = Field(
        default=False,
        description="also estimate the Fréchet distance of infinitely many images, linear in 1/n; skipped where n/4 is "
        "at most the number of features",
    )
    compute: ComputeSettings = ComputeSettings()
    disentanglement: DisentanglementSettings = DisentanglementSettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()

    def micro_batch_of(self, dataset: str) -> int:
        """Return the images per batch for networks trained on a data set."""
        return _number_for(self.micro_batch, dataset)

    def likelihood_images(self, dataset: str) -> int:
        """Return the number of test images of a data set for the likelihood bound."""
        return _number_for(self.num_likelihood_images, dataset)

    def memorization_images(self, dataset: str) -> int:
        """Return the number of samples of a data set whose nearest training images are searched."""
        if self.num_memorization_images is None:
            return min(self.num_samples, self.likelihood_images(dataset))
        return _number_for(self.num_memorization_images, dataset)

    @property
    def compared(self) -> tuple[int, ...]:
        """The sample sizes for distances, ascending."""
        return self.num_compared or (self.num_samples,)

    def _mistakes(self) -> Iterator[str]:
        if list(self.num_compared) != sorted(set(self.num_compared)):
            yield f"num_compared must ascend, not be {list(self.num_compared)}"
        largest, searched = self.compared[-1], self.num_memorization_images or 0
        for setting, needed in (
            (f"num_compared of {largest}", largest),
            ("num_memorization_images", max(searched.values(), default=0) if isinstance(searched, dict) else searched),
            ("num_shards", self.num_shards),
        ):
            if self.num_samples < needed:
                yield f"{setting} needs num_samples of {needed} or more, not {self.num_samples}"
        if self.compared[0] <= self.num_neighbors:
            fewest = "num_compared" if self.num_compared else "num_samples"
            yield f"num_neighbors needs {fewest} of {self.num_neighbors + 1} or more, not {self.compared[0]}"
        if self.extra_draws and self.likelihood_draws < 2:
            yield "extra_draws need likelihood_draws of 2 or more, to measure the variance of draws"


def _number_for(numbers: int | dict[Name, int], dataset: str) -> int:
    return numbers[dataset] if isinstance(numbers, dict) else numbers
