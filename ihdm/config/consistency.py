"""Consistency of a configuration across its blocks: names, sizes, samplers, swept values, figures."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from ihdm.config.experiments import NUMBERS, NetworkSettings, Parameter, SweepSettings, Variant, format_number
from ihdm.config.processes import SAMPLERS
from ihdm.config.restoration import LARGEST_RESTORED, problem_mistakes
from ihdm.errors import shown

if TYPE_CHECKING:
    from ihdm.config.scale import Config

PER_DATASET = ("extractors", "micro_batch", "num_likelihood_images", "num_memorization_images")
"""Evaluation settings that can differ between data sets."""
STUDIED = {"studies": "figures.evaluations", "restoration": "figures.restoration"}
"""Blocks of the configuration with the figures that show their experiments."""


def config_mistakes(config: "Config", figures: Collection[str]) -> Iterator[str]:
    """Yield one line, with its place in the file, for each inconsistency that can be found despite the others.

    Args:
        config: the scale, with valid blocks.
        figures: names of all figures.
    """
    variants: dict[str, Variant] = {}
    for name in config.experiments:
        mistakes = [*_experiment_mistakes(config, name), *_weights_mistakes(config, name)]
        mistakes = mistakes or list(_sweep_mistakes(config, name))
        if not mistakes:
            variants |= {variant.name: variant for variant in config.variants_of(name, config.sweeps)}
        yield from mistakes
    yield from _restoration_mistakes(config)
    for name in config.samplers.keys() & SAMPLERS.keys():
        yield f"samplers.{name}: this is the name of a built-in sampler; choose another"
    yield from _unusable_in_paths((config.evaluation.delta_ratio,), "evaluation.delta_ratio")
    for setting, datasets in _per_dataset(config):
        yield from _undefined(datasets, config.datasets, f"evaluation.{setting}")
    for parameter in SweepSettings.model_fields:
        for name, values in getattr(config.sweeps, parameter).items():
            yield from _undefined([name], config.experiments, f"sweeps.{parameter}")
            yield from _unusable_in_paths(values, f"sweeps.{parameter}.{name}")
    yield from _undefined(config.figures, figures, "figures")
    yield from _variant_mistakes(config, variants)


def _experiment_mistakes(config: "Config", name: str) -> Iterator[str]:
    """Yield inconsistencies between an experiment and its data set, network and samplers."""
    experiment, where = config.experiments[name], f"experiments.{name}"
    yield from _undefined([experiment.dataset], config.datasets, f"{where}.dataset")
    yield from _undefined([experiment.network], config.networks, f"{where}.network")
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
            yield from _undefined([experiment.dataset], datasets, f"evaluation.{setting}")
    places: dict[str, tuple[str | None, ...]] = {
        f"{where}.sampler": (experiment.sampler,),
        f"sweeps.sampler.{name}": config.sweeps.sampler.get(name, ()),
    }
    for study, chosen in config.studies.items():
        if study.partition("-")[0] == name:
            places[f"studies.{study}.samplers"] = chosen.samplers
    known = config.all_samplers
    for place, samplers in places.items():
        yield from _undefined(samplers, known, place)
        for sampler in filter(samplers.__contains__, known):
            if known[sampler].uses_delta and not experiment.process.has_constant_noise:
                yield (
                    f"{place}: sampler '{sampler}' adds noise δ, which process '{experiment.process.kind}' does not "
                    "have; use a sampler with noise posterior, measured or none"
                )
            if mistake := known[sampler].mistake_with(experiment.process, experiment.prediction):
                yield f"{place}: sampler '{sampler}' {mistake}"


def _per_dataset(config: "Config") -> list[tuple[str, Collection[str]]]:
    """Return the evaluation settings that are given per data set, each with its data sets."""
    settings = {key: getattr(config.evaluation, key) for key in PER_DATASET}
    return [(key, value) for key, value in settings.items() if isinstance(value, dict)]


def _weights_mistakes(config: "Config", name: str) -> Iterator[str]:
    """Yield inconsistencies of the experiments that initialize the weights of this one."""
    chain = [name]
    while source := config.experiments[chain[-1]].initial_weights:
        where = f"experiments.{chain[-1]}.initial_weights"
        yield from _undefined([source], config.experiments, where)
        if source in chain:
            yield f"{where}: circular, {' from '.join([*chain, source])}"
        if source not in config.experiments or source in chain:
            return
        networks = [config.networks.get(config.experiments[one].network) for one in (chain[-1], source)]
        if all(networks):
            for key in NetworkSettings.model_fields:
                ours, theirs = (getattr(network, key) for network in networks)
                if ours != theirs:
                    yield f"{where}: the networks must be equal, but {key} is {theirs} there and {ours} here"
        chain.append(source)


def _sweep_mistakes(config: "Config", name: str) -> Iterator[str]:
    """Yield inconsistencies within an experiment, and the swept values that it cannot take."""
    try:
        list(config.variants_of(name, SweepSettings()))
    except ValidationError as error:
        yield f"experiments.{name}: {_message(error)}"
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
                yield f"{where}: {value}: {_message(error)}"


def _restoration_mistakes(config: "Config") -> Iterator[str]:
    """Yield inconsistencies between restoration studies, samplers and image sizes."""
    yield from _undefined(config.restoration, config.experiments, "restoration")
    for name, study in config.restoration.items():
        where = f"restoration.{name}"
        yield from _undefined([study.sampler], config.all_samplers, f"{where}.sampler")
        if study.sampler in config.all_samplers and config.all_samplers[study.sampler].order == 2:
            yield (
                f"{where}.sampler: sampler '{study.sampler}' has order 2, but restoration adds noise, for which order "
                "2 is not defined; use a sampler of order 1"
            )
        experiment = config.experiments.get(name)
        if experiment and experiment.dataset in config.datasets:
            size = config.datasets[experiment.dataset].image_size
            for problem, chosen in study.problems.items():
                for mistake in problem_mistakes(chosen, size):
                    yield f"{where}.problems.{problem}: {mistake}"
            if size > LARGEST_RESTORED:
                yield f"{where}: images must have at most {LARGEST_RESTORED} pixels per side, not {size}"


def _variant_mistakes(config: "Config", variants: dict[str, Variant]) -> Iterator[str]:
    """Yield figures, studies and others of undefined or unsuitable variants, except of invalid experiments."""
    invalid = config.experiments.keys() - {variant.base for variant in variants.values()}
    places = {f"figures.{figure}": names for figure, names in config.figures.items()}
    places |= {"studies": tuple(config.studies), "diagnostics": config.diagnostics, "portable": config.portable}
    for place, listed in places.items():
        names = [name for name in listed if name.partition("-")[0] not in invalid]
        yield from _undefined(names, variants, place)
        for name in filter(variants.__contains__, names):
            swept = {variant.swept for variant in variants.values() if variant.base == name}
            if place == "figures.sweep_curves" and not swept & {*NUMBERS}:
                yield f"{place}: no numeric parameter of '{name}' is swept; add values under sweeps, or remove it here"
            has_snapshots = variants[name].is_trained and config.experiments[variants[name].base].run.snapshot_every
            if place == "figures.training_efficiency" and not has_snapshots:
                yield f"{place}: '{name}' keeps no snapshots of its training; set run.snapshot_every, or remove it here"
            for block, figure in STUDIED.items():
                if place == figure and name not in getattr(config, block):
                    yield f"{place}: '{name}' is not studied; add it under {block}, or remove it here"
            if place in ("portable", "studies") and not variants[name].is_trained:
                yield f"{place}: '{name}' has no separate network; use '{variants[name].model}'"


def _message(error: ValidationError) -> str:
    return "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())


def _undefined(names: Iterable[str | None], known: Collection[str], where: str) -> Iterator[str]:
    for name in names:
        if name is not None and name not in known:
            yield f"{where}: {shown(name)} is not defined; known are {', '.join(sorted(known)) or 'none'}"


def _unusable_in_paths(values: tuple[float | str, ...], where: str) -> Iterator[str]:
    """Yield numbers that paths cannot spell exactly, and values that would give the same path twice."""
    for value in values:
        if not isinstance(value, str) and float(format_number(value)) != value:
            yield f"{where}: {value!r} has more than ten decimals, which paths do not allow; round it"
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{where}: {value if isinstance(value, str) else format_number(value)} is listed twice"
