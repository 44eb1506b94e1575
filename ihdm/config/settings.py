"""The parts of a configuration.

The released code departs from the paper's description in four places where both readings can be run. Each has one
setting, whose values are listed here and nowhere else:

=============  ========================  ==============================  ===========================================
setting        where                     as described (the default)      as released
=============  ========================  ==============================  ===========================================
`levels`       an experiment's training  `uniform`: k in 1…K             `as_released`: k in 1…K−1
`prior_noise`  evaluation                `delta`, as its FID does        `none`, as its previews do
`rounding`     evaluation                `nearest`                       `truncate`
`reference`    evaluation                `training`: what training saw   `as_released`: whole pictures, squashed
=============  ========================  ==============================  ===========================================

The last one differs only where pictures are brought to the wanted size.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from ihdm.config.folders import Folder

# Upper bounds are far above what anybody can mean, and far below what a plan or a machine would never end with.
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
RESERVED_NAMES = ("nan", "na", "inf", "infinity", "null", "none", "true", "false")
"""Words that tables read as something else than a name."""


def _usable(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError(f"'{name}' is read from tables as something else than a name; choose another")
    return name


Name = Annotated[
    str,
    Field(
        pattern=NAME_PATTERN, max_length=64, description="lower-case letters, digits and underscores, a letter first"
    ),
    AfterValidator(_usable),
]
Positive = Annotated[float, Field(gt=0, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=10**9)]
CountFromZero = Annotated[int, Field(ge=0, le=10**9)]
AtLeastThree = Annotated[int, Field(ge=3, le=10**9)]
AtLeastTwo = Annotated[int, Field(ge=2, le=10**9)]
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

Value = TypeVar("Value")
Values = Annotated[tuple[Value, ...], Field(max_length=100)]

PerDataset = Annotated[
    Annotated[Value, Tag("number")] | Annotated[dict[Name, Value], Tag("numbers")],
    Discriminator(lambda value: "numbers" if isinstance(value, dict) else "number"),
]
"""One number for all data sets, or one for each by name."""

Levels = Literal["uniform", "stratified", "as_released"]
"""How the levels k of a training batch are drawn; `stratified` spreads each batch evenly over 1…K."""
PriorNoise = Literal["delta", "sigma", "none"]
"""Bandwidth of the kernel density estimate that sampling starts from."""
Rounding = Literal["nearest", "truncate"]
"""How finished images become 8-bit."""

Reference = Literal["training", "as_released"]
"""What samples are compared with: the array that training saw, or the same pictures squashed instead of cut."""
Extractor = Literal["dct", "pca", "efficientnet", "inception"]
"""What images become before their distances are measured; distances of `inception` alone are FID and KID."""


class Settings(BaseModel):
    """What all settings share: unknown keys and values of another type are refused, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def _mistakes(self) -> Iterator[str]:
        """Yield, a line each, what is right by itself and does not fit the rest."""
        yield from ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if mistakes := list(dict.fromkeys(self._mistakes())):
            raise ValueError("\n".join(mistakes))
        return self


class DatasetSettings(Settings):
    """Images of one size from one source."""

    source: Name = Field(description="where the images come from: a name that `ihdm data sources` lists")
    image_size: ImageSize = Field(description="height and width in pixels")
    image_channels: Literal[1, 3] = Field(description="1 for gray, 3 for color")
    path: Folder | None = Field(
        default=None,
        description="where the images lie, for a source that `ihdm data sources` says to take it: absolute, or "
        "relative to data.root",
    )
    skip_broken: bool = Field(default=False, description="leave out images that cannot be decoded, and name them")
    resize: Literal["crop", "squash"] = Field(
        default="crop",
        description="how a picture becomes a square: cut to its middle, or squashed whole",
    )
    crops: Count | None = Field(
        default=None,
        description="squares of random places and sizes that are cut from each picture of a folder, where pictures are "
        "few and large; by default its middle alone",
    )

    def _mistakes(self) -> Iterator[str]:
        if self.crops and self.resize == "squash":
            yield "crops are cut, so resize cannot be 'squash'"


class RawDataSettings(Settings):
    """Where raw files are kept. Nothing is computed anew when they move."""

    root: Folder = Field(default="data", description="folder of downloads and of archives put there by hand, by source")


Precision = Literal["no", "fp16", "bf16"]
"""Of the network alone: float32, or mixed with 16 bits. Its first convolution, blur and losses stay in float32."""


class TrainingSettings(Settings):
    """What is learnt: Adam with linear warm-up, clipping and an average of the weights."""

    steps: Count = Field(description="optimizer steps")
    batch_size: BatchSize = Field(description="images of a step, over all devices")
    learning_rate: Annotated[float, Field(gt=0, le=10)] = Field(description="of Adam, after the warm-up")
    warmup_steps: CountFromZero = Field(default=5000, description="steps of linear warm-up")
    ema_decay: Fraction = Field(description="decay of the exponential moving average of the weights")
    gradient_clip: Positive = Field(default=1.0, description="largest norm of the gradient")
    mixed_precision: Precision = Field(default="no", description="precision of the network alone")
    levels: Levels = Field(
        default="uniform",
        description="how levels are drawn: each in 1…K, spread over each batch, or in 1…K−1 as the released code does",
    )


class RunSettings(Settings):
    """How a training runs, on what, and what it shows on the way. A change retrains nothing, even half-way through."""

    micro_batch: BatchSize | None = Field(
        default=None, description="largest number of images on a device at a time; by default all of its share"
    )
    compile: bool = Field(default=False, description="torch.compile, on a GPU; slower on a CPU and ignored there")
    channels_last: bool = Field(
        default=False, description="channels-last memory, on a GPU; slower on a CPU and ignored there"
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="compute activations anew for the gradient and keep fewer: less memory, a third more time",
    )
    save_minutes: NotNegative = Field(default=5.0, description="minutes between two savings of the state")
    snapshot_every: Count | None = Field(
        default=None,
        description="steps between two milestones, at which the averaged network is kept, and samples measured; "
        "none by default",
    )
    validate_every: Count = Field(
        default=5000, description="steps between two looks at held-out losses and samples; the last step has one too"
    )
    num_validation_images: AtLeastTwo = Field(default=32, description="held-out images, each at every level")
    num_previews: Few = Field(default=16, description="samples shown")
    tracker: Literal["none", "tensorboard", "wandb"] = Field(
        default="none",
        description="what shows losses, learning rate and samples while it trains; its files lie in the folder of the "
        "state, in tracking",
    )


class ComputeSettings(Settings):
    """How trained networks compute when they are sampled and measured; all of it changes the last bits."""

    precision: Precision = Field(default="no", description="of the network alone; fp16 needs a GPU")
    compile: bool = Field(default=False, description="torch.compile, on a GPU; ignored on a CPU")
    channels_last: bool = Field(default=False, description="channels-last memory, on a GPU; ignored on a CPU")


class DisentanglementSettings(Settings):
    """The two-way grid of starts × noises."""

    num_starts: Annotated[int, Field(ge=2, le=1000)] = Field(default=12, description="starts, each with every noise")
    num_noises: Annotated[int, Field(ge=2, le=1000)] = Field(default=12, description="noises, each with every start")


class DiagnosticsSettings(Settings):
    """How closely it is looked into how networks make images."""

    num_pairs: AtLeastTwo = Field(default=32, description="pairs of samples with a path between them")
    num_positions: AtLeastThree = Field(default=9, description="images on such a path, both ends included")
    num_trees: AtLeastTwo = Field(default=12, description="starts whose paths split")
    num_splits: Annotated[int, Field(ge=1, le=6)] = Field(
        default=4, description="times that a path splits in two, so that 2^num_splits samples come from a start"
    )
    num_trajectories: AtLeastTwo = Field(default=32, description="samples that are followed as they form")
    num_stages: AtLeastThree = Field(default=40, description="stages that are kept of them, both ends included")
    num_ranges: Annotated[int, Field(ge=1, le=100)] = Field(
        default=5, description="ranges of levels over which changes are summed"
    )
    num_gradients: AtLeastTwo = Field(default=16, description="samples at which the network is differentiated")


class EvaluationSettings(Settings):
    """How trained networks are sampled and measured. Nothing here retrains anything."""

    delta_ratio: DeltaRatio = Field(default=1.25, description="sampling noise δ as a ratio to σ, where none is swept")
    prior_noise: PriorNoise = Field(
        default="delta", description="bandwidth of the kernel density estimate that sampling starts from"
    )
    rounding: Rounding = Field(
        default="nearest", description="how finished images become 8-bit: rounded, or cut off as the released code does"
    )
    num_samples: AtLeastThree = Field(
        description="generated images per experiment and δ; three or more, as distances leave some out for errors"
    )
    num_compared: tuple[AtLeastThree, ...] = Field(
        default=(),
        max_length=100,
        description="numbers n of images that are compared, ascending; by default num_samples. Spectra take the first",
    )
    reference: Reference = Field(
        default="training",
        description="what distances are measured from: what training saw, or whole pictures squashed, as released",
    )
    num_shards: Few = Field(
        default=1, description="jobs that share the samples of each experiment and δ; their number changes no byte"
    )
    micro_batch: PerDataset[BatchSize] = Field(
        description="images sampled at a time, one number for all data sets or one for each by name; on one CPU the "
        "bytes of a sample depend on it"
    )
    num_likelihood_images: PerDataset[AtLeastTwo] = Field(
        description="test images of the likelihood bound, one number for all data sets or one for each by name"
    )
    num_memorization_images: PerDataset[AtLeastTwo] | None = Field(
        default=None,
        description="samples whose nearest training images are looked for, and as many test images if there are, one "
        "number for all data sets or one for each by name; by default as many as are bounded, or num_samples if fewer",
    )
    num_calibration_images: Annotated[Count, Field(ge=10)] = Field(
        default=768, description="training images on which it is measured what a network leaves open"
    )
    max_levels: NumLevels | None = Field(
        default=None,
        description="most levels at which networks are evaluated, evenly spaced; by default all. The paper's bound is "
        "a sum over all levels and always uses all of them",
    )
    likelihood_draws: Few = Field(default=2, description="draws of noise for each of them and each level")
    extra_draws: NumExtraDraws = Field(
        default=0, description="further draws a level on average, shared out by the variance of the first ones"
    )
    num_resamples: NumResamples = Field(default=200, description="resamples behind every interval")
    extractors: dict[Name, Extractor] = Field(
        description="for each data set, what turns images into the features that distances are measured in"
    )
    inception_weights: Folder | None = Field(
        default=None,
        description="folder of inception-2015-12-05.pt, which the extractor 'inception' needs; it is downloaded if it "
        "is not there. By default inception/ below data.root",
    )
    num_neighbors: Count = Field(default=5, description="k of precision, recall, density and coverage")
    extrapolate: bool = Field(
        default=False,
        description="estimate the Fréchet distance of infinitely many images too, linear in 1/n; it is left out for n "
        "images of which a quarter is not more than the number of features",
    )
    compute: ComputeSettings = ComputeSettings()
    disentanglement: DisentanglementSettings = DisentanglementSettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()

    def micro_batch_of(self, dataset: str) -> int:
        """Return how many images of networks trained on a data set are sampled, or evaluated, at a time."""
        return _number_for(self.micro_batch, dataset)

    def likelihood_images(self, dataset: str) -> int:
        """Return how many test images of a data set are bounded on."""
        return _number_for(self.num_likelihood_images, dataset)

    def memorization_images(self, dataset: str) -> int:
        """Return of how many samples, of networks trained on a data set, the nearest training image is looked for."""
        if self.num_memorization_images is None:
            return min(self.num_samples, self.likelihood_images(dataset))
        return _number_for(self.num_memorization_images, dataset)

    @property
    def compared(self) -> tuple[int, ...]:
        """The numbers of images that are compared with real ones, ascending."""
        return self.num_compared or (self.num_samples,)

    def _mistakes(self) -> Iterator[str]:
        if list(self.num_compared) != sorted(set(self.num_compared)):
            yield f"num_compared must ascend, not be {list(self.num_compared)}"
        if self.compared[-1] > self.num_samples:
            yield f"num_compared of {self.compared[-1]} needs as many num_samples, not {self.num_samples}"
        given = self.num_memorization_images or 0
        most = max(given.values(), default=0) if isinstance(given, dict) else given
        if most > self.num_samples:
            yield f"num_memorization_images of {most} needs as many num_samples, not {self.num_samples}"
        fewest = "num_compared" if self.num_compared else "num_samples"
        for setting, needed, name, number in (
            ("num_shards", self.num_shards, "num_samples", self.num_samples),
            ("num_neighbors", self.num_neighbors + 1, fewest, self.compared[0]),
        ):
            if number < needed:
                yield f"{setting} needs {name} of {needed} or more, not {number}"
        if self.extra_draws and self.likelihood_draws < 2:
            yield "extra_draws go where two draws differ most, so likelihood_draws must be at least 2"


def _number_for(numbers: int | dict[Name, int], dataset: str) -> int:
    return numbers[dataset] if isinstance(numbers, dict) else numbers


class SweepSettings(Settings):
    """Values to try beside an experiment's own: for each parameter, a list per experiment."""

    delta_ratio: dict[Name, Values[DeltaRatio]] = Field(
        default_factory=dict, description="sampling noise δ/σ; trains nothing"
    )
    sigma: dict[Name, Values[NoiseWidth]] = Field(default_factory=dict, description="training noise σ")
    num_levels: dict[Name, Values[NumLevels]] = Field(default_factory=dict, description="number of levels K")
    blur_sigma_max: dict[Name, Values[BlurWidth]] = Field(default_factory=dict, description="largest blur width")
    num_train: dict[Name, Values[Count]] = Field(
        default_factory=dict, description="number of training images, the first of the split"
    )
    seed: dict[Name, Values[Seed]] = Field(default_factory=dict, description="training seed")
    levels: dict[Name, Values[Levels]] = Field(default_factory=dict, description="how training draws levels")
    prior_noise: dict[Name, Values[PriorNoise]] = Field(
        default_factory=dict, description="bandwidth of the starts; trains nothing"
    )
    rounding: dict[Name, Values[Rounding]] = Field(
        default_factory=dict, description="how finished images become 8-bit; trains nothing"
    )
    sampler: dict[Name, Values[Name]] = Field(default_factory=dict, description="samplers by name; trains nothing")
