"""What must fit together in a scale: names that are used and defined, sizes, samplers, swept values, figures."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from ihdm.config.experiments import NUMBERS, NetworkSettings, Parameter, Variant, format_number
from ihdm.config.processes import SAMPLERS
from ihdm.config.restoration import LARGEST_RESTORED, problem_mistakes
from ihdm.config.settings import SweepSettings
from ihdm.errors import shown

if TYPE_CHECKING:
    from ihdm.config.scale import Config


NUMBERS_OF_IMAGES = ("micro_batch", "num_likelihood_images", "num_memorization_images")
"""What may be one number for all data sets or one for each."""


def config_mistakes(config: "Config", figures: Collection[str]) -> Iterator[str]:
    """Yield what does not fit, a line each with its place in the file, as far as it can be told in spite of the rest.

    Args:
        config: the scale, whose parts are each valid.
        figures: those that can be drawn.
    """
    variants: dict[str, Variant] = {}
    for name in config.experiments:
        mistakes = [*_experiment_mistakes(config, name), *_weights_mistakes(config, name)]
        if not mistakes:
            mistakes = list(_swept_mistakes(config, name))
        if not mistakes:
            variants |= {variant.name: variant for variant in config.variants_of(name, config.sweeps)}
        yield from mistakes
    for name in config.studies:
        yield from _undefined(name, config.experiments, "studies")
    for name, study in config.restoration.items():
        yield from _undefined(name, config.experiments, "restoration")
        if study.sampler:
            yield from _undefined(study.sampler, config.all_samplers, f"restoration.{name}.sampler")
        experiment = config.experiments.get(name)
        if experiment and experiment.dataset in config.datasets:
            size = config.datasets[experiment.dataset].image_size
            for problem, chosen in study.problems.items():
                for mistake in problem_mistakes(chosen, size):
                    yield f"restoration.{name}.problems.{problem}: {mistake}"
            if size > LARGEST_RESTORED:
                yield f"restoration.{name}: images of {size} pixels are too large; {LARGEST_RESTORED} are the most"
    for name in config.samplers.keys() & SAMPLERS.keys():
        yield f"samplers.{name}: this name is given to a sampler that is always there; take another"
    yield from _unnameable((config.evaluation.delta_ratio,), "evaluation.delta_ratio")
    for setting, datasets in _per_dataset(config):
        for name in datasets:
            yield from _undefined(name, config.datasets, f"evaluation.{setting}")
    for parameter in SweepSettings.model_fields:
        for name, values in getattr(config.sweeps, parameter).items():
            yield from _undefined(name, config.experiments, f"sweeps.{parameter}")
            yield from _unnameable(values, f"sweeps.{parameter}.{name}")
    yield from _figure_mistakes(config, figures, variants)
    yield from _portable_mistakes(config, variants)


def _experiment_mistakes(config: "Config", name: str) -> Iterator[str]:
    """Yield what does not fit an experiment: its data set, its network, its samplers."""
    experiment, where = config.experiments[name], f"experiments.{name}"
    yield from _undefined(experiment.dataset, config.datasets, f"{where}.dataset")
    yield from _undefined(experiment.network, config.networks, f"{where}.network")
    dataset, network = config.datasets.get(experiment.dataset), config.networks.get(experiment.network)
    if dataset and network:
        for key in ("image_size", "image_channels"):
            if getattr(dataset, key) != getattr(network, key):
                yield (
                    f"{where}: {key} is {getattr(dataset, key)} in data set '{experiment.dataset}' "
                    f"but {getattr(network, key)} in network '{experiment.network}'"
                )
    if dataset:
        for setting, datasets in _per_dataset(config):
            yield from _undefined(experiment.dataset, datasets, f"evaluation.{setting}")
    named = [(f"{where}.sampler", sampler) for sampler in [experiment.sampler] if sampler]
    if name in config.studies:
        named += [(f"studies.{name}.samplers", sampler) for sampler in config.studies[name].samplers]
    named += [(f"sweeps.sampler.{name}", sampler) for sampler in config.sweeps.sampler.get(name, ())]
    for place, sampler in named:
        yield from _undefined(sampler, config.all_samplers, place)
        if (
            sampler in config.all_samplers
            and config.all_samplers[sampler].uses_delta
            and not experiment.process.has_constant_noise
        ):
            yield (
                f"{place}: sampler '{sampler}' adds noise δ, which process '{experiment.process.kind}' has not; "
                "take one with noise posterior, measured or none"
            )


def _per_dataset(config: "Config") -> list[tuple[str, Collection[str]]]:
    """Return the settings of the evaluation that name data sets, with those that they name."""
    settings = {key: getattr(config.evaluation, key) for key in ("extractors", *NUMBERS_OF_IMAGES)}
    return [(key, value) for key, value in settings.items() if isinstance(value, dict)]


def _weights_mistakes(config: "Config", name: str) -> Iterator[str]:
    """Yield what is wrong with the weights that an experiment's training starts from."""
    chain = [name]
    while source := config.experiments[chain[-1]].initial_weights:
        where = f"experiments.{chain[-1]}.initial_weights"
        if source not in config.experiments or source in chain:
            yield from _undefined(source, config.experiments, where)
            if source in chain:
                yield f"{where}: goes round in a circle, {' from '.join([*chain, source])}"
            return
        networks = [config.networks.get(config.experiments[one].network) for one in (chain[-1], source)]
        if all(networks):
            for key in NetworkSettings.model_fields:
                ours, theirs = (getattr(network, key) for network in networks)
                if ours != theirs:
                    yield f"{where}: its network must be equal, but {key} is {theirs} there and {ours} here"
        chain.append(source)


def _swept_mistakes(config: "Config", name: str) -> Iterator[str]:
    """Yield what an experiment of right parts cannot be as a whole, and the swept values that it cannot take."""
    try:
        list(config.variants_of(name, SweepSettings()))
    except ValidationError as error:
        yield f"experiments.{name}: {_said(error)}"
        return
    process = config.experiments[name].process
    for parameter in get_args(Parameter):
        for value in getattr(config.sweeps, parameter).get(name, ()):
            where = f"sweeps.{parameter}.{name}"
            if parameter in ("sigma", "num_levels", "blur_sigma_max") and parameter not in type(process).model_fields:
                yield f"{where}: process '{process.kind}' has no {parameter}"
                break
            try:
                list(config.variants_of(name, SweepSettings.model_validate({parameter: {name: (value,)}})))
            except ValidationError as error:
                yield f"{where}: {value}: {_said(error)}"


def _figure_mistakes(config: "Config", figures: Collection[str], variants: dict[str, Variant]) -> Iterator[str]:
    """Yield figures that cannot be drawn; of an experiment that is wrong itself nothing is said here."""
    unknown = config.experiments.keys() - {variant.base for variant in variants.values()}
    for figure, names in config.figures.items():
        yield from _undefined(figure, figures, "figures")
        for name in names:
            if name.partition("-")[0] in unknown:
                continue
            yield from _undefined(name, variants, f"figures.{figure}")
            swept = [variant.swept for variant in variants.values() if variant.base == name]
            if figure == "sweep_curves" and name in variants and not set(swept) & set(NUMBERS):
                yield f"figures.sweep_curves: nothing of '{name}' is swept; add a list under sweeps, or leave it out"


def _portable_mistakes(config: "Config", variants: dict[str, Variant]) -> Iterator[str]:
    """Yield what has no network to be written; of an experiment that is wrong itself nothing is said here."""
    unknown = config.experiments.keys() - {variant.base for variant in variants.values()}
    for name in config.portable:
        if name.partition("-")[0] in unknown:
            continue
        yield from _undefined(name, variants, "portable")
        if name in variants and not variants[name].is_trained:
            yield f"portable: '{name}' has no network of its own; name '{variants[name].model}'"


def _said(error: ValidationError) -> str:
    return "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())


def _undefined(name: str, known: Collection[str], where: str) -> Iterator[str]:
    if name not in known:
        yield f"{where}: {shown(name)} is not defined; known are {', '.join(sorted(known)) or 'none'}"


def _unnameable(values: tuple[float | str, ...], where: str) -> Iterator[str]:
    for value in values:
        if not isinstance(value, str) and float(format_number(value)) != value:
            yield f"{where}: {value!r} has more than ten decimals; paths are named after it, so round it"
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{where}: {value if isinstance(value, str) else format_number(value)} is listed twice"
