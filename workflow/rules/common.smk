# The configuration, validated, and where everything lies. Rules hold no logic beyond this.

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
from ihdm.report.page.render import assets_sha256
from ihdm.measures import jobs as measure_jobs
from ihdm.measures import merged_tables
from ihdm.report.tables import available
from ihdm.runs import Run
from ihdm.storage.code import code_sha256
from ihdm.storage.provenance import drawn_parts, recorded_steps, stale_notices, was_made_with

# A plan is made of small objects that live as long as it does: looking for garbage among them took a quarter of its time.
gc.set_threshold(100_000)

if len(workflow.configfiles) > 1:
    raise WorkflowError(
        f"a scale is one complete file, but {len(workflow.configfiles)} are given: "
        + ", ".join(map(str, workflow.configfiles))
    )


def is_prepared(name):
    """Whether a data set is there as it is configured now; its raw files may be gone by then."""
    return was_made_with(Path(f"{settings.results}/data/{name}/data.meta.json"), settings.datasets[name])


try:
    for path in workflow.configfiles:
        read_config(path)  # Snakemake drops a key that is given twice; reading the file again finds it
    settings = parse_config(config)
    check_sources(settings, [name for name in settings.datasets if is_prepared(name)])
except UserError as error:
    raise WorkflowError(str(error))


def interrupt(number, frame):
    """Hand SIGINT on to the jobs: Snakemake only waits for them, as if the terminal had sent it to all."""
    for process in psutil.Process().children(recursive=True):
        try:
            process.send_signal(signal.SIGINT)
        except psutil.NoSuchProcess:
            pass
    signal.default_int_handler(number, frame)


def interrupt_on(*numbers):
    """End the run on these signals, except on those that are ignored, as nohup does with SIGHUP."""
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, interrupt)


interrupt_on(signal.SIGINT)


# Only now: Snakemake has set its own handler of SIGTERM, which waits for running jobs to finish, be it for days. In a job of
# a cluster the shell below handles it.
onstart:
    if workflow.exec_mode == ExecMode.DEFAULT:
        interrupt_on(signal.SIGTERM, signal.SIGHUP)


# A cluster sends SIGTERM to every process of a job, and ends the job when its shell ends. So the shell waits for the command,
# which saves its state, and what writes the log stays to write the last lines.
shell.prefix("set -euo pipefail; trap : TERM; tee() {{ (trap '' TERM; exec tee \"$@\"); }}; ")

RESULTS = settings.results
# Next to this file, also where another workflow imports this one as a module.
CAPTIONS = str(Path(workflow.current_basedir) / "../report")
DATASETS = resolve_datasets(settings)
VARIANTS = settings.variants
TITLES = titles(settings)

# In how many parts each set of samples is drawn, by experiment and spelling of its δ/σ.
PARTS = {
    (name, ratio): drawn_parts(Path(f"{RESULTS}/samples/{name}/delta{ratio}"), settings.evaluation.num_shards)
    for name in VARIANTS
    for ratio in Run(settings, name).per_delta()
}

# Those with a network of their own; the others differ from one of these in how it is sampled.
TRAINED = [name for name, variant in VARIANTS.items() if variant.is_trained]

# Every extractor that features are stored of.
EXTRACTORS = sorted({settings.evaluation.extractors[variant.dataset] for variant in VARIANTS.values()})

# The merged tables, and what each is merged from.
TABLES = {table: [f"{RESULTS}/{path}" for path in parts] for table, parts in merged_tables(settings).items()}

# Those that are merged from parts; others are computed whole.
MERGED = [table for table, parts in TABLES.items() if parts != [f"{RESULTS}/metrics/{table}.csv"]]

# The tables as a paper prints them, and the merged tables that they are made of.
PRINTED = available({*TABLES, "sweep"})
PRINTED_FROM = sorted({needed for needs in PRINTED.values() for needed in needs})

# The merged tables that claims are decided from.
CLAIMED_FROM = available_tables(settings)

# The records of what takes long to make and is kept when its code changes, each with its settings. All other rules have
# the hash of their code among their params, and so are rerun.
KEPT = {
    f"{RESULTS}/data/{dataset}/data.meta.json": DATASETS[dataset]
    for dataset in dict.fromkeys(VARIANTS[name].dataset for name in TRAINED)
} | {f"{RESULTS}/models/{name}/model.meta.json": VARIANTS[name].experiment for name in TRAINED}

# Refused before Snakemake deletes the network, which it does before a training starts.
for name in TRAINED:
    meta = Path(f"{RESULTS}/models/{name}/model.meta.json")
    steps = VARIANTS[name].experiment.training.steps
    if meta.exists() and recorded_steps(meta) > steps:
        raise WorkflowError(
            f"{meta.parent}: was trained for {recorded_steps(meta)} steps, but training.steps is {steps}; set it to as many "
            f"or more to keep the network, or delete {meta.parent} and {RESULTS}/state/models/{name} to train again"
        )


def report_stale():
    """Name the kept results that other code, or other settings, have made."""
    try:
        for notice in stale_notices({Path(meta): chosen for meta, chosen in KEPT.items() if Path(meta).exists()}):
            print(notice, file=sys.stderr)
    except UserError as error:  # a damaged record
        print(error, file=sys.stderr)


# At the end of every run, also where nothing was to be done: for that Snakemake has no onsuccess. Not in the jobs.
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
    """Every file that `rule all` asks for."""
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
    """The path of a split of an experiment's data set, as an input function."""
    return lambda wildcards: f"{RESULTS}/data/{VARIANTS[wildcards.experiment].dataset}/{split}.npy"


def model_of(name):
    """A file of the network that an experiment samples, as an input function."""
    return lambda wildcards: f"{RESULTS}/models/{VARIANTS[wildcards.experiment].model}/{name}"


def initial_weights(wildcards):
    """The network whose weights a training starts from: its two files, or none."""
    source = settings.initial_weights(wildcards.experiment)
    files = ("config.json", "diffusion_pytorch_model.safetensors") if source else ()
    return [f"{RESULTS}/models/{source}/{file}" for file in files]


def initial_weights_option(wildcards, resources):
    """The words that name it on the command line."""
    source = settings.initial_weights(wildcards.experiment)
    return ["--initial-weights", f"{RESULTS}/models/{source}"] if source else []


def calibration_of(wildcards):
    """What was measured of the network that an experiment samples, if its sampler needs it."""
    variant = VARIANTS[wildcards.experiment]
    return [f"{RESULTS}/models/{variant.model}/calibration.npz"] if variant.is_calibrated else []


def own_distance(wildcards):
    """The distances of an experiment's samples at its own δ/σ."""
    return run_of(wildcards).fill(f"{RESULTS}/metrics/distance/{{experiment}}/delta{{default_ratio}}.csv")


def own_likelihood(wildcards):
    """The bounds of an experiment, if it has any."""
    has_likelihood = VARIANTS[wildcards.experiment].has_likelihood
    return [f"{RESULTS}/metrics/likelihood/{wildcards.experiment}.csv"] if has_likelihood else []


def per_delta(pattern, experiment):
    """A pattern with {experiment} and {ratio}, filled in for every δ/σ of an experiment."""
    return [run.fill(pattern) for run in Run(settings, experiment).per_delta().values()]


def sets_of_parts(is_meant):
    """A pattern of the experiments, and the δ/σ that follow in a path, whose samples are drawn in so many parts."""
    meant = [f"{name}(?=/delta{re.escape(ratio)}/)" for (name, ratio), parts in PARTS.items() if is_meant(parts)]
    return "|".join(meant) or "(?!)"


def parts_of_set(wildcards):
    """The files of all parts of a set of samples."""
    folder = f"{RESULTS}/samples/{wildcards.experiment}/delta{wildcards.ratio}/shards"
    return [
        f"{folder}/{shard}/{name}"
        for shard in range(PARTS[wildcards.experiment, wildcards.ratio])
        for name in ("samples.npy", "starts.npy", "samples.csv", "samples.meta.json")
    ]


def captions_of_figures():
    """The captions of all figures, which the page tells."""
    folder = Path(captions_folder(None, None))
    return [(folder / f"{figure}.rst").read_text(encoding="utf-8") for figure in settings.figures]


def captions_folder(wildcards, resources):
    """Where captions lie. No rule runs anew when they move, as this takes resources."""
    return CAPTIONS


def gpus_option(wildcards, resources):
    """The words that ask for a job's GPUs, more than one by --set-resources models:gpu=4. No rule runs anew when they change."""
    if not isinstance(resources.gpu, int):
        raise WorkflowError(f"--set-resources RULE:gpu={resources.gpu}: give a whole number of GPUs")
    return ["--gpus", resources.gpu] + (["--gpus-optional"] if settings.gpus == "optional" else [])


def rising(value):
    """Memory or time, as a resource: more each time that a job is tried again, up to three times as much."""
    return lambda wildcards, attempt: value * min(attempt, 3)


def training_memory(wildcards, attempt):
    """The memory of a training: of each of its processes, one for each GPU that is asked for."""
    # A workflow that imports this one may put something before the names of rules.
    training = next(rule for rule in workflow.rules if rule.name.rpartition("_")[2] == "models")
    gpu = training.resources["gpu"]
    # Whatever is no number is told by gpus_option.
    processes = max(gpu.value, 1) if not gpu.is_evaluable() and isinstance(gpu.value, int) else 1
    return 16000 * processes * min(attempt, 2)


def needed_gpus(wildcards):
    """How many GPUs the features of images take: those of small ones need none."""
    return int(run_of(wildcards).extractor in ("inception", "efficientnet"))


def run_of(wildcards):
    """What the job of a measure is for."""
    names = ("experiment", "dataset", "ratio", "split")
    return Run(settings, **{name: value for name, value in wildcards.items() if name in names})


def measure_place(job):
    """Where the log and the benchmark of a measure are, below their folders."""
    names = dict.fromkeys(re.findall(r"{(\w+)}", " ".join(job.outputs.values())))
    return "/".join(
        ["metrics", job.name, *(f"delta{{{name}}}" if name == "ratio" else f"{{{name}}}" for name in names)]
    )


def measure_inputs(job):
    """The files that a measure reads, as an input function: those in a folder, if it reads one."""

    def files(wildcards):
        found = job.files(run_of(wildcards))
        return {
            name.replace(":", "_"): [f"{RESULTS}/{part}" for part in job.parts(name, Path(path))]
            for name, path in found.items()
        }

    return files


def measure_outputs(job):
    """The files that a measure writes; what is a merged table by itself is one of the report's."""
    outputs = {role: f"{RESULTS}/{path}" for role, path in job.outputs.items()}
    meta = Path(next(iter(outputs.values()))).with_suffix(".meta.json")
    for role, path in outputs.items():
        if path == f"{RESULTS}/metrics/{role}.csv":
            outputs[role] = report(path, caption=f"../report/{role}.rst", category="Tables", labels={"table": role})
    return outputs | {"meta": str(meta)}


def measure_settings(job):
    """The settings of a measure, as a parameter."""
    return lambda wildcards: job.settings(run_of(wildcards))


def measure_words(job, option):
    """The words that name the files of a measure on the command line, as a parameter."""

    def words(wildcards):
        run = run_of(wildcards)
        if option == "--input":
            files = job.files(run)
        else:
            files = {role: run.fill(path) for role, path in job.outputs.items()}
        return [word for role, path in files.items() for word in (option, f"{role}={RESULTS}/{path}")]

    return words


def measure_resources(job):
    """The memory, time and GPUs of a measure; what it does not say is as a profile has it."""
    found = {"mem_mb": job.first.memory_mb, "runtime": job.first.minutes}
    gpus = {"no": {}, "network": {"gpu": 1}, "features": {"gpu": needed_gpus}}[job.first.gpu]
    return {name: rising(value) for name, value in found.items() if value} | gpus


def inception_option(wildcards, resources):
    """The words that say where Inception's weights are. No rule runs again when they move, as this takes resources."""
    return ["--inception", settings.inception_weights]
