# The validated configuration, all paths, and the functions of the rules. Rules contain no other logic.

import atexit
import gc
import re
import signal
import sys
import threading
from pathlib import Path

import psutil
from snakemake.settings.types import ExecMode

from ihdm.claims.ledger import available_tables
from ihdm.config.reading import parse_config, read_config
from ihdm.config.titles import titles
from ihdm.data.sources import check_sources, resolve_datasets
from ihdm.errors import UserError
from ihdm.figures import figure_inputs, is_animated
from ihdm.report.render import assets_sha256
from ihdm.measures import jobs as measure_jobs
from ihdm.measures import merged_tables
from ihdm.report.tables import available
from ihdm.runs import Run
from ihdm.storage.code import code_sha256
from ihdm.storage.provenance import recorded_number, stale_notices, was_made_with

# A plan consists of small permanent objects; garbage collection took a quarter of the planning time.
gc.set_threshold(100_000)

if len(workflow.configfiles) > 1:
    raise WorkflowError(
        f"a scale is one complete file, but {len(workflow.configfiles)} are given: "
        + ", ".join(map(str, workflow.configfiles))
    )


def is_prepared(name):
    """Whether a data set is prepared as configured; then its raw files are not needed."""
    return was_made_with(Path(f"{settings.results}/data/{name}/data.meta.json"), settings.datasets[name])


try:
    for path in workflow.configfiles:
        read_config(path)  # Snakemake silently drops duplicate keys; this reports them
    settings = parse_config(config)
    check_sources(settings, [name for name in settings.datasets if is_prepared(name)])
except UserError as error:
    raise WorkflowError(str(error))


def interrupt(number, frame):
    """Send SIGINT to the jobs too; Snakemake only waits for them, as if the terminal had sent it to all."""
    for process in psutil.Process().children(recursive=True):
        try:
            process.send_signal(signal.SIGINT)
        except psutil.NoSuchProcess:
            pass
    signal.default_int_handler(number, frame)


def interrupt_on(*numbers):
    """End the run on these signals, except ignored ones (nohup ignores SIGHUP)."""
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, interrupt)


interrupt_on(signal.SIGINT)


# Only here, because Snakemake sets a handler of SIGTERM before, which waits for running jobs, possibly for days. In a cluster
# job the shell below handles the signal.
onstart:
    if workflow.exec_mode == ExecMode.DEFAULT:
        interrupt_on(signal.SIGTERM, signal.SIGHUP)


# A cluster sends SIGTERM to every process of a job, and ends the job when its shell ends. So the shell waits for the command,
# which saves its state, and tee ignores the signal to log the last lines.
shell.prefix("set -euo pipefail; trap : TERM; tee() {{ (trap '' TERM; exec tee \"$@\"); }}; ")

RESULTS = settings.results
# Relative to this file, also if another workflow imports this one as a module.
CAPTIONS = str(Path(workflow.current_basedir) / "../report")
DATASETS = resolve_datasets(settings)
VARIANTS = settings.variants
TITLES = titles(settings)

# Number of shards of each set of samples, kept where samples exist, by experiment and δ/σ as spelled in paths.
PARTS = {
    (name, ratio): recorded_number(
        Path(f"{RESULTS}/samples/{name}/delta{ratio}/samples.meta.json"),
        "num_shards",
        otherwise=settings.evaluation.num_shards,
    )
    for name in VARIANTS
    for ratio in Run(settings, name).per_delta()
}

# Variants that train a network; the others sample one of these networks differently.
TRAINED = [name for name, variant in VARIANTS.items() if variant.is_trained]

# Networks with statistics of the training images in a further file; a rule of their own declares it, because the outputs of a
# rule cannot depend on wildcards.
WHITENED = [name for name in TRAINED if VARIANTS[name].has_statistics]

# Extractors whose features are stored.
EXTRACTORS = sorted({settings.evaluation.extractors[variant.dataset] for variant in VARIANTS.values()})

# Merged tables, each with its parts.
TABLES = {table: [f"{RESULTS}/{path}" for path in parts] for table, parts in merged_tables(settings).items()}

# Tables that the rule metrics_table merges; the others are computed whole.
MERGED = [table for table, parts in TABLES.items() if parts != [f"{RESULTS}/metrics/{table}.csv"]]

# Printed tables, and the merged tables that they need.
PRINTED = available({*TABLES, "sweep"})
PRINTED_FROM = sorted({needed for needs in PRINTED.values() for needed in needs})

# Merged tables that the claims need.
CLAIMED_FROM = available_tables(settings)

# Records of results that are kept when their code changes, because they take long, each with its settings. All other rules
# have a hash of their code among their params, and so are rerun.
KEPT = {
    f"{RESULTS}/data/{dataset}/data.meta.json": DATASETS[dataset]
    for dataset in dict.fromkeys(VARIANTS[name].dataset for name in TRAINED)
} | {f"{RESULTS}/models/{name}/model.meta.json": VARIANTS[name].experiment for name in TRAINED}

# Checked here, because Snakemake deletes the network before a training starts.
for name in TRAINED:
    meta = Path(f"{RESULTS}/models/{name}/model.meta.json")
    steps, trained = VARIANTS[name].experiment.training.steps, recorded_number(meta, "training", "steps", otherwise=0)
    if trained > steps:
        raise WorkflowError(
            f"{meta.parent}: trained for {trained} steps, but training.steps is {steps}; set at least as many "
            f"to keep the network, or delete {meta.parent} and {RESULTS}/state/models/{name} to train again"
        )


def report_stale():
    """List the kept results that were made by other code or with other settings."""
    try:
        for notice in stale_notices({Path(meta): chosen for meta, chosen in KEPT.items() if Path(meta).exists()}):
            print(notice, file=sys.stderr)
    except UserError as error:  # a damaged record
        print(error, file=sys.stderr)


# At the end of every run, even without jobs, for which Snakemake has no handler; not in the jobs themselves.
if workflow.exec_mode == ExecMode.DEFAULT:
    atexit.register(report_stale)


wildcard_constraints:
    dataset="|".join(DATASETS),
    experiment="|".join(VARIANTS),
    ratio="|".join(sorted({re.escape(ratio) for _, ratio in PARTS})),
    table="|".join(MERGED),
    extractor="|".join(EXTRACTORS),
    split="train|test",
    shard=r"\d+",


def everything():
    """All targets of `rule all`."""
    return (
        [f"{RESULTS}/figures/{figure}.{ending}" for figure in settings.figures for ending in ("pdf", "png")]
        + [f"{RESULTS}/figures/{figure}.webp" for figure in settings.figures if is_animated(figure)]
        + [f"{RESULTS}/metrics/{table}.csv" for table in TABLES]
        + [f"{RESULTS}/metrics/sweep.{ending}" for ending in ("csv", "parquet")]
        + [f"{RESULTS}/tables/{table}.{ending}" for table in PRINTED for ending in ("csv", "md", "tex")]
        + [f"{RESULTS}/portable/{name}" for name in settings.portable]
        + [f"{RESULTS}/report/claims.{ending}" for ending in ("csv", "md", "json")]
        + [f"{RESULTS}/report/index.html"]
    )


def data_of(split):
    """Input function: a split of the data set of an experiment."""
    return lambda wildcards: f"{RESULTS}/data/{VARIANTS[wildcards.experiment].dataset}/{split}.npy"


def model_of(name):
    """Input function: a file of the network that an experiment samples."""
    return lambda wildcards: f"{RESULTS}/models/{VARIANTS[wildcards.experiment].model}/{name}"


def statistics_of(wildcards):
    """Input function: the statistics of the network that an experiment samples, if it has any."""
    variant = VARIANTS[wildcards.experiment]
    return [f"{RESULTS}/models/{variant.model}/statistics.safetensors"] if variant.has_statistics else []


def names_of(experiments):
    """A wildcard pattern of these experiments."""
    return "|".join(map(re.escape, experiments)) or "(?!)"


def initial_weights(wildcards):
    """Input function: the network that initializes the weights of a training, if any."""
    source = settings.initial_weights(wildcards.experiment)
    files = ("config.json", "diffusion_pytorch_model.safetensors") if source else ()
    return [f"{RESULTS}/models/{source}/{file}" for file in files]


def calibration_of(wildcards):
    """Input function: the calibration of the network that an experiment samples, if its sampler needs it."""
    variant = VARIANTS[wildcards.experiment]
    return [f"{RESULTS}/models/{variant.model}/calibration.npz"] if variant.is_calibrated else []


def sets_of_parts(condition):
    """A wildcard pattern of the experiments and δ/σ whose number of shards meets a condition."""
    sets = [f"{name}(?=/delta{re.escape(ratio)}/)" for (name, ratio), parts in PARTS.items() if condition(parts)]
    return "|".join(sets) or "(?!)"


def parts_of_set(wildcards):
    """Input function: the files of all shards of a set of samples."""
    folder = f"{RESULTS}/samples/{wildcards.experiment}/delta{wildcards.ratio}/shards"
    return [
        f"{folder}/{shard}/{name}"
        for shard in range(PARTS[wildcards.experiment, wildcards.ratio])
        for name in ("samples.npy", "starts.npy", "samples.csv", "samples.meta.json")
    ]


def gpus_option(wildcards, resources):
    """Parameter: the GPU options of a job, e.g. for --set-resources models:gpu=4. A change triggers no rerun."""
    if not isinstance(resources.gpu, int):
        raise WorkflowError(f"--set-resources RULE:gpu={resources.gpu}: the number of GPUs must be an integer")
    return ["--gpus", resources.gpu] + (["--gpus-optional"] if settings.gpus == "optional" else [])


def rising(value):
    """Resource: memory or time, multiplied by the attempt, at most by three."""
    return lambda wildcards, attempt: value * min(attempt, 3)


def rule_models():
    """The rule models. A workflow that imports this one may prefix the names of rules."""
    return next(rule for rule in workflow.rules if rule.name.rpartition("_")[2] == "models")


def as_models(name):
    """Resource: as in models, so that --set-resources models:… holds for every training."""

    def value(wildcards, input, attempt, threads, async_run):
        found = (
            rule_models()
            .resources[name]
            .evaluate(wildcards, input=input, attempt=attempt, threads=threads, rulename="models", async_run=async_run)
        )
        return found.value

    return value


def training_memory(wildcards, attempt):
    """Resource: the memory of a training, with one process per requested GPU."""
    gpu = rule_models().resources["gpu"]
    # gpus_option reports values that are not numbers.
    processes = max(gpu.value, 1) if not gpu.is_evaluable() and isinstance(gpu.value, int) else 1
    return 16000 * processes * min(attempt, 2)


def run_of(wildcards):
    """The run of a job, from its wildcards."""
    names = ("experiment", "dataset", "ratio", "split")
    return Run(settings, **{name: value for name, value in wildcards.items() if name in names})


def measure_place(job):
    """The path of the log and the benchmark of a job of measures, below their folders."""
    names = dict.fromkeys(re.findall(r"{(\w+)}", " ".join(job.outputs.values())))
    return "/".join(
        ["metrics", job.name, *(f"delta{{{name}}}" if name == "ratio" else f"{{{name}}}" for name in names)]
    )


def measure_inputs(job):
    """Input function: the files that a job of measures reads; for a folder, the files in it."""

    def files(wildcards):
        run = run_of(wildcards)
        found = job.files(run)
        return {
            name.replace(":", "_"): [f"{RESULTS}/{part}" for part in job.parts(name, Path(path), run)]
            for name, path in found.items()
        }

    return files


def measure_outputs(job):
    """The files that a job of measures writes; complete merged tables go into the Snakemake report."""
    outputs = {role: f"{RESULTS}/{path}" for role, path in job.outputs.items()}
    meta = Path(next(iter(outputs.values()))).with_suffix(".meta.json")
    for role, path in outputs.items():
        if path == f"{RESULTS}/metrics/{role}.csv":
            outputs[role] = report(path, caption=f"../report/{role}.rst", category="Tables", labels={"table": role})
    return outputs | {"meta": str(meta)}


def measure_settings(job):
    """Parameter: the settings of a job of measures."""
    return lambda wildcards: job.settings(run_of(wildcards))


def measure_options(job, option):
    """Parameter: the --input or --output options of a job of measures."""

    def options(wildcards):
        run = run_of(wildcards)
        outputs = {role: run.fill(path) for role, path in job.outputs.items()}
        files = job.files(run) if option == "--input" else outputs
        return [word for role, path in files.items() for word in (option, f"{role}={RESULTS}/{path}")]

    return options


def measure_resources(job):
    """The memory, time and GPUs of a job of measures; a profile gives the defaults."""
    found = {"mem_mb": job.first.memory_mb, "runtime": job.first.minutes}
    # Extractors for small images need no GPU.
    for_features = lambda wildcards: int(run_of(wildcards).extractor in ("inception", "efficientnet"))
    gpus = {"no": {}, "network": {"gpu": 1}, "features": {"gpu": for_features}}[job.first.gpu]
    return {name: rising(value) for name, value in found.items() if value} | gpus
