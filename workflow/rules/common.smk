# The configuration, validated, and where everything lies. Rules hold no logic beyond this.

import re

from ihdm.config import format_number
from ihdm.config_files import parse_config, read_config
from ihdm.errors import UserError

if len(workflow.configfiles) > 1:
    raise WorkflowError(
        f"a scale is one complete file, but {len(workflow.configfiles)} are given: "
        + ", ".join(map(str, workflow.configfiles))
    )
try:
    for path in workflow.configfiles:
        read_config(path)  # Snakemake drops a key that is given twice; reading the file again finds it
    settings = parse_config(config)
except UserError as error:
    raise WorkflowError(str(error))

RESULTS = settings.results
DATASETS = settings.resolve_datasets()
EXPERIMENTS = settings.resolve_experiments()

# The spelling of each δ/σ in paths, and its value.
RATIOS = {format_number(ratio): ratio for experiment in EXPERIMENTS for ratio in settings.delta_ratios(experiment)}

# Those with a network of their own; the others differ from one of these in how it is sampled.
TRAINED = [experiment for experiment in EXPERIMENTS if settings.model_of(experiment) == experiment]

# Every extractor that features are stored of.
EXTRACTORS = sorted({settings.evaluation.extractors[settings.dataset_of(experiment)] for experiment in EXPERIMENTS})

TABLES = ["levels", "distance", "spectrum", "memorisation", "disentanglement"]
if settings.has_likelihood:
    TABLES.append("likelihood")
    if settings.evaluation.likelihood_draws > 1:
        TABLES.append("likelihood_cost")

# A curve needs three values to have a minimum.
CURVES = [experiment for experiment in TRAINED if len(settings.delta_ratios(experiment)) > 2]
if CURVES:
    TABLES.append("minimum")

# What the summary page shows: the joint tables, and the effect of what the released code does otherwise, if that is swept.
SUMMARISED = [*TABLES, "departures"] if settings.has_departures else TABLES


wildcard_constraints:
    dataset="|".join(DATASETS),
    experiment="|".join(EXPERIMENTS),
    ratio="|".join(re.escape(ratio) for ratio in RATIOS),
    table="|".join(TABLES),
    extractor="|".join(EXTRACTORS),
    split="train|test",
    images="samples|starts",
    shard=r"\d+",


def everything():
    """Every file that `rule all` asks for."""
    return (
        [f"{RESULTS}/figures/{figure}.png" for figure in settings.figures]
        + [f"{RESULTS}/metrics/{table}.csv" for table in TABLES]
        + [f"{RESULTS}/metrics/sweep.csv", f"{RESULTS}/report/summary.html"]
    )


def data_of(split):
    """The path of a split of an experiment's data set, as an input function."""
    return lambda wildcards: f"{RESULTS}/data/{settings.dataset_of(wildcards.experiment)}/{split}.npy"


def model_of(name):
    """A file of the network that an experiment samples, as an input function."""
    return lambda wildcards: f"{RESULTS}/models/{settings.model_of(wildcards.experiment)}/{name}"


def per_delta(pattern, experiment):
    """A pattern with {experiment} and {ratio}, filled in for every δ/σ of an experiment."""
    return [
        pattern.format(experiment=experiment, ratio=format_number(ratio)) for ratio in settings.delta_ratios(experiment)
    ]


def features_folder(dataset):
    """Where the features of a data set's images, real and generated, are stored."""
    return f"{RESULTS}/metrics/features/{settings.evaluation.extractors[dataset]}"


def inception_weights(wildcards, resources):
    """Where Inception's weights lie. No rule runs anew when they move, as this takes resources."""
    return settings.inception_weights


def dataset_named(wildcards):
    """The data set that is named, or the one of the experiment that is."""
    return wildcards.get("dataset") or settings.dataset_of(wildcards.experiment)


def extractor_of(wildcards):
    """The extractor of a data set's images, cut or squashed, and of an experiment's."""
    dataset = dataset_named(wildcards).partition("-")[0]
    return f"{features_folder(dataset)}/{dataset}/extractor.npz"


def real_features(split):
    """The features of a split of a data set, named or an experiment's, as an input function."""

    def path(wildcards):
        dataset = dataset_named(wildcards)
        return f"{features_folder(dataset)}/{dataset}/{split}.npz"

    return path


def reference_features(wildcards):
    """The features of what the images of a data set, named or an experiment's, are measured from."""
    dataset = dataset_named(wildcards)
    return f"{features_folder(dataset)}/{settings.reference_of(dataset)}/train.npz"


def features_of(images):
    """The features of an experiment's samples or starts at one δ/σ, as an input function."""

    def path(wildcards):
        folder = features_folder(settings.dataset_of(wildcards.experiment))
        return f"{folder}/{wildcards.experiment}/delta{wildcards.ratio}/{images}.npz"

    return path


def table_parts(wildcards):
    """The tables of single experiments that a joint table is made of."""
    folder = f"{RESULTS}/metrics/{wildcards.table}"
    if wildcards.table == "minimum":
        kinds = {"distance": CURVES, "likelihood": CURVES if settings.has_likelihood else []}
        return [f"{folder}/{experiment}/{kind}.csv" for kind, names in kinds.items() for experiment in names]
    if wildcards.table == "memorisation":
        ratio = format_number(settings.evaluation.delta_ratio)
        return [f"{folder}/{experiment}/delta{ratio}.csv" for experiment in TRAINED]
    if wildcards.table not in ("distance", "spectrum"):
        return [f"{folder}/{experiment}.csv" for experiment in TRAINED]
    datasets = {settings.dataset_of(experiment): None for experiment in EXPERIMENTS}  # a set that keeps its order
    return [f"{folder}/real/{dataset}.csv" for dataset in datasets] + [
        f"{folder}/{experiment}/delta{format_number(ratio)}.csv"
        for experiment in EXPERIMENTS
        for ratio in settings.delta_ratios(experiment)
    ]


# What each figure is drawn from: kind of file, and where it lies for each experiment.
FIGURE_INPUTS = {
    "data": {
        "train": "data/{dataset}/train.npy",
        "test": "data/{dataset}/test.npy",
        "spectrum": "metrics/data_spectrum/{dataset}.csv",
    },
    "teaser": {"sequence": "samples/{experiment}/sequence.npz"},
    "delta_samples": {"samples": "samples/{experiment}/delta{ratio}/samples.npy"},
    "delta_curve": {
        "distance": "metrics/distance/{experiment}/delta{ratio}.csv",
        "real": "metrics/distance/real/{dataset}.csv",
        "likelihood": "metrics/likelihood/{experiment}.csv",
        "minimum": "metrics/minimum.csv",
    },
    "sweep_curves": {"sweep": "metrics/sweep.csv"},
    "psd": {"psd": "metrics/psd/{experiment}.csv"},
    "disentanglement": {
        "grid": "samples/{experiment}/starts_noises.npy",
        "shares": "metrics/disentanglement/{experiment}.csv",
    },
    "training": {
        "history": "models/{experiment}/history.csv",
        "held_out": "models/{experiment}/held_out.csv",
        "levels": "metrics/levels/{experiment}.csv",
    },
}


def figure_inputs(figure):
    """The inputs of a figure by name: KIND:EXPERIMENT, or KIND:EXPERIMENT:RATIO where there is one for each δ/σ."""
    if figure not in FIGURE_INPUTS:
        raise WorkflowError(f"figures.{figure}: there is no such figure; known are {', '.join(FIGURE_INPUTS)}")
    inputs = {}
    for kind, pattern in FIGURE_INPUTS[figure].items():
        if kind == "likelihood" and not settings.has_likelihood:
            continue
        for experiment in settings.figures[figure]:
            if kind == "minimum" and experiment not in CURVES:
                continue
            path = f"{RESULTS}/{pattern}".replace("{experiment}", experiment)
            path = path.replace("{dataset}", settings.dataset_of(experiment))
            if "{ratio}" not in path:
                inputs[f"{kind}:{experiment}"] = path
                continue
            for ratio in map(format_number, settings.delta_ratios(experiment)):
                inputs[f"{kind}:{experiment}:{ratio}"] = path.replace("{ratio}", ratio)
    return inputs
