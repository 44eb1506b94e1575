"""The one description of what can be configured: validated before anything runs, and the source of the JSON schema.

A configuration file names data sets, network presets, experiments, sweeps and figures. An experiment is everything that
a trained network depends on; the sampling noise δ is not among them, it belongs to the evaluation.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ihdm.settings import (
    Count,
    DatasetSettings,
    DistanceSettings,
    ErrorSettings,
    Fraction,
    HeatSettings,
    LikelihoodSettings,
    Name,
    NotNegative,
    Positive,
    PriorNoise,
    RawDataSettings,
    Rounding,
    RunSettings,
    SamplingSettings,
    Settings,
    TrainingSettings,
)


class NetworkSettings(Settings):
    """A preset of the paper's U-Net (paper, appendix B)."""

    image_size: Count = Field(description="height and width of the images in pixels")
    image_channels: Literal[1, 3]
    base_channels: Count = Field(description="channels at full resolution, before the multiplier")
    channel_multipliers: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        description="one factor on base_channels for each resolution, the largest resolution first"
    )
    blocks_per_level: Count = Field(description="residual blocks at each resolution")
    attention_levels: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="the resolutions with self-attention, counted from 0, the largest resolution"
    )
    dropout: Fraction
    norm_groups: Count = Field(default=32, description="groups of every group normalisation")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        halvings = len(self.channel_multipliers) - 1
        if self.image_size % 2**halvings:
            raise ValueError(
                f"image_size {self.image_size} cannot be halved {halvings} times, "
                f"as the {halvings + 1} channel_multipliers need; use a multiple of {2**halvings}"
            )
        for multiplier in self.channel_multipliers:
            if self.base_channels * multiplier % self.norm_groups:
                raise ValueError(
                    f"norm_groups {self.norm_groups} does not divide the width {self.base_channels * multiplier} "
                    "(base_channels times a channel multiplier)"
                )
        if any(level > halvings for level in self.attention_levels):
            raise ValueError(f"attention_levels must lie in 0…{halvings}, not {list(self.attention_levels)}")
        return self


class ExperimentSettings(Settings):
    """What a trained network depends on, its parts by name, and how its training runs."""

    dataset: Name
    network: Name
    process: HeatSettings
    training: TrainingSettings
    seed: Annotated[int, Field(ge=0)] = 0
    run: RunSettings = RunSettings()


class Experiment(Settings):
    """An experiment with its named parts filled in: what training needs to know, and nothing else."""

    dataset: DatasetSettings
    network: NetworkSettings
    process: HeatSettings
    training: TrainingSettings
    seed: int

    @model_validator(mode="after")
    def _has_levels_to_train(self) -> Self:
        if self.training.levels == "as_released" and self.process.num_levels == 1:
            raise ValueError("levels 'as_released' leaves level K out, so num_levels must be at least 2")
        return self


class DisentanglementSettings(Settings):
    """The two-way grid of starts × noises."""

    num_starts: Annotated[int, Field(ge=2)] = 12
    num_noises: Annotated[int, Field(ge=2)] = 12


class EvaluationSettings(Settings):
    """How trained networks are sampled and measured. Nothing here retrains anything."""

    delta_ratio: NotNegative = Field(default=1.25, description="sampling noise δ as a ratio to σ, where none is swept")
    prior_noise: PriorNoise = Field(
        default="delta", description="bandwidth of the kernel density estimate that sampling starts from"
    )
    rounding: Rounding = Field(
        default="nearest", description="how finished images become 8-bit: rounded, or cut off as the released code does"
    )
    num_samples: Annotated[int, Field(ge=2)] = Field(description="generated images per experiment and δ")
    micro_batch: Count = Field(description="images sampled at a time; on one CPU the bytes of a sample depend on it")
    num_likelihood_images: Annotated[int, Field(ge=2)] = Field(description="test images of the likelihood bound")
    num_bootstrap: Annotated[int, Field(ge=20)] = Field(default=200, description="resamples behind every interval")
    feature_spaces: dict[Name, Literal["dct", "pca"]] = Field(
        description="for each data set, the space in which distances are measured"
    )
    disentanglement: DisentanglementSettings = DisentanglementSettings()


class SweepSettings(Settings):
    """Values to try beside an experiment's own: for each parameter, a list per experiment."""

    delta_ratio: dict[Name, tuple[NotNegative, ...]] = Field(
        default_factory=dict, description="sampling noise δ/σ; trains nothing"
    )
    sigma: dict[Name, tuple[Positive, ...]] = Field(default_factory=dict, description="training noise σ")
    num_levels: dict[Name, tuple[Count, ...]] = Field(default_factory=dict, description="number of levels K")
    blur_sigma_max: dict[Name, tuple[Positive, ...]] = Field(default_factory=dict, description="largest blur width")
    seed: dict[Name, tuple[Annotated[int, Field(ge=0)], ...]] = Field(default_factory=dict, description="training seed")


class Config(Settings):
    """One scale: a complete description of what is computed, from data to report."""

    results: str = Field(min_length=1, description="folder of everything this scale produces")
    data: RawDataSettings = RawDataSettings()
    datasets: dict[Name, DatasetSettings]
    networks: dict[Name, NetworkSettings]
    experiments: dict[Name, ExperimentSettings]
    sweeps: SweepSettings = SweepSettings()
    evaluation: EvaluationSettings
    figures: dict[Name, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        description="for each figure, the experiments it is drawn for"
    )

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            _require(experiment.dataset, self.datasets, f"{where}.dataset")
            _require(experiment.network, self.networks, f"{where}.network")
            dataset, network = self.datasets[experiment.dataset], self.networks[experiment.network]
            for key in ("image_size", "image_channels"):
                if getattr(dataset, key) != getattr(network, key):
                    raise ValueError(
                        f"{where}: {key} is {getattr(dataset, key)} in data set '{experiment.dataset}' "
                        f"but {getattr(network, key)} in network '{experiment.network}'"
                    )
            _require(experiment.dataset, self.evaluation.feature_spaces, "evaluation.feature_spaces")
        _require_nameable((self.evaluation.delta_ratio,), "evaluation.delta_ratio")
        for name in self.evaluation.feature_spaces:
            _require(name, self.datasets, "evaluation.feature_spaces")
        for parameter in SweepSettings.model_fields:
            for name, values in getattr(self.sweeps, parameter).items():
                _require(name, self.experiments, f"sweeps.{parameter}")
                _require_nameable(values, f"sweeps.{parameter}.{name}")
        resolved = self.resolve_experiments()
        for figure, names in self.figures.items():
            for name in names:
                _require(name, resolved, f"figures.{figure}")
        return self

    def resolve_experiments(self) -> dict[str, Experiment]:
        """Return every experiment by name with its parts filled in, the swept ones included.

        A swept value gives the experiment ``NAME-PARAMETERVALUE``, e.g. ``digits-sigma0.02``; the value that the
        experiment has anyway adds nothing.
        """
        resolved = {}
        for name, settings in self.experiments.items():
            base = Experiment(
                dataset=self.datasets[settings.dataset],
                network=self.networks[settings.network],
                process=settings.process,
                training=settings.training,
                seed=settings.seed,
            )
            resolved[name] = base
            for parameter in ("sigma", "num_levels", "blur_sigma_max", "seed"):
                for value in getattr(self.sweeps, parameter).get(name, ()):
                    varied = _vary(base, parameter, value)
                    if varied != base:
                        resolved[f"{name}-{parameter}{format_number(value)}"] = varied
        return resolved

    def sampling(self, experiment: str, delta_ratio: float | None = None) -> SamplingSettings:
        """Return what a generated image depends on; δ/σ is the evaluation's unless given."""
        resolved = self.resolve_experiments()[experiment]
        return SamplingSettings(
            process=resolved.process,
            seed=resolved.seed,
            delta_ratio=self.evaluation.delta_ratio if delta_ratio is None else delta_ratio,
            prior_noise=self.evaluation.prior_noise,
            rounding=self.evaluation.rounding,
            micro_batch=self.evaluation.micro_batch,
        )

    def errors(self, experiment: str) -> ErrorSettings:
        """Return what the held-out squared errors of an experiment depend on."""
        resolved = self.resolve_experiments()[experiment]
        return ErrorSettings(
            process=resolved.process,
            seed=resolved.seed,
            num_images=self.evaluation.num_likelihood_images,
            micro_batch=self.evaluation.micro_batch,
        )

    @property
    def has_likelihood(self) -> bool:
        """Whether there is a likelihood: there is none without noise on the start, or if all sampling is at δ = 0."""
        return self.evaluation.prior_noise != "none" and all(
            max(self.delta_ratios(experiment)) > 0 for experiment in self.experiments
        )

    def likelihood(self, experiment: str) -> LikelihoodSettings:
        """Return what the likelihood bound of an experiment depends on; δ = 0 has none and is left out."""
        resolved = self.resolve_experiments()[experiment]
        return LikelihoodSettings.model_validate(
            {
                "process": resolved.process,
                "prior_noise": self.evaluation.prior_noise,
                "delta_ratios": tuple(ratio for ratio in self.delta_ratios(experiment) if ratio > 0),
                "seed": resolved.seed,
            }
        )

    def distance(self, dataset: str) -> DistanceSettings:
        """Return what distances to a data set depend on."""
        return DistanceSettings(
            feature_space=self.evaluation.feature_spaces[dataset],
            num_images=self.evaluation.num_samples,
            num_bootstrap=self.evaluation.num_bootstrap,
            seed=0,
        )

    def run(self, experiment: str) -> RunSettings:
        """Return how the training of an experiment runs, swept or not."""
        return self.experiments[experiment.split("-")[0]].run

    def dataset_of(self, experiment: str) -> str:
        """Return the name of the data set of an experiment, swept or not."""
        return self.experiments[experiment.split("-")[0]].dataset

    def delta_ratios(self, experiment: str) -> list[float]:
        """Return the ratios δ/σ at which an experiment is sampled, ascending; a swept experiment takes its base's."""
        swept = self.sweeps.delta_ratio.get(experiment.split("-")[0], ())
        return sorted({float(ratio) for ratio in (*swept, self.evaluation.delta_ratio)})


def _require(name: str, known: Mapping[str, Any], where: str) -> None:
    if name not in known:
        raise ValueError(f"{where}: '{name}' is not defined; known are {', '.join(sorted(known)) or 'none'}")


def _require_nameable(values: tuple[float, ...], where: str) -> None:
    for value in values:
        if float(format_number(value)) != value:
            raise ValueError(f"{where}: {value!r} has more than ten decimals; paths are named after it, so round it")
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise ValueError(f"{where}: {format_number(repeated[0])} is listed twice")


def _vary(base: Experiment, parameter: str, value: float) -> Experiment:
    """Return the experiment with one parameter changed, validated again."""
    fields = base.model_dump()
    (fields if parameter == "seed" else fields["process"])[parameter] = value
    return Experiment.model_validate(fields)


def format_number(value: float) -> str:
    """Return the one spelling of a number used in paths and names: 0.01, never 0.010 or 1e-2."""
    return f"{value:.10f}".rstrip("0").rstrip(".")
