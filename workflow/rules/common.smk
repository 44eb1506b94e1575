# The configuration, validated, and where everything lies. Rules hold no logic beyond this.

from ihdm.config import format_number
from ihdm.config_files import parse_config, read_config
from ihdm.errors import UserError

try:
    for path in workflow.configfiles:
        read_config(
            path
        )  # Snakemake drops a key that is given twice; reading the file again finds it
    settings = parse_config(config)
except UserError as error:
    raise WorkflowError(str(error))

RESULTS = settings.results
EXPERIMENTS = settings.resolve_experiments()

TABLES = ["levels", "distance", "spectrum", "disentanglement"]
if settings.has_likelihood:
    TABLES.append("likelihood")


wildcard_constraints:
    dataset="|".join(settings.datasets),
    experiment="|".join(EXPERIMENTS),
    ratio=r"[0-9.]+",
    table="|".join(TABLES),


def everything():
    """Every file that `rule all` asks for."""
    return (
        [f"{RESULTS}/figures/{figure}.png" for figure in settings.figures]
        + [f"{RESULTS}/metrics/{table}.csv" for table in TABLES]
        + [f"{RESULTS}/report/summary.html"]
    )


def data_of(split):
    """The path of a split of an experiment's data set, as an input function."""
    return (
        lambda wildcards: f"{RESULTS}/data/{settings.dataset_of(wildcards.experiment)}/{split}.npy"
    )


def per_delta(pattern, experiment):
    """A pattern with {experiment} and {ratio}, filled in for every δ/σ of an experiment."""
    return [
        pattern.format(experiment=experiment, ratio=format_number(ratio))
        for ratio in settings.delta_ratios(experiment)
    ]


def table_parts(wildcards):
    """The tables of single experiments that a joint table is made of."""
    folder = f"{RESULTS}/metrics/{wildcards.table}"
    if wildcards.table not in ("distance", "spectrum"):
        return [f"{folder}/{experiment}.csv" for experiment in EXPERIMENTS]
    datasets = {
        settings.dataset_of(experiment): None for experiment in EXPERIMENTS
    }  # a set that keeps its order
    return [f"{folder}/real/{dataset}.csv" for dataset in datasets] + [
        path
        for experiment in EXPERIMENTS
        for path in per_delta(f"{folder}/{{experiment}}/delta{{ratio}}.csv", experiment)
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
    },
    "psd": {"psd": "metrics/psd/{experiment}.csv"},
    "disentanglement": {
        "grid": "samples/{experiment}/starts_noises.npy",
        "shares": "metrics/disentanglement/{experiment}.csv",
    },
    "training": {
        "history": "models/{experiment}/history.csv",
        "levels": "metrics/levels/{experiment}.csv",
    },
}


def figure_inputs(figure):
    """The inputs of a figure, each as KIND:EXPERIMENT and a path."""
    if figure not in FIGURE_INPUTS:
        raise WorkflowError(
            f"figures.{figure}: there is no such figure; known are {', '.join(FIGURE_INPUTS)}"
        )
    kinds = {
        kind: pattern
        for kind, pattern in FIGURE_INPUTS[figure].items()
        if kind != "likelihood" or settings.has_likelihood
    }
    return [
        (f"{kind}:{experiment}", f"{RESULTS}/{path}")
        for kind, pattern in kinds.items()
        for experiment in settings.figures[figure]
        for path in dict.fromkeys(
            per_delta(
                pattern.replace("{dataset}", settings.dataset_of(experiment)),
                experiment,
            )
        )
    ]
