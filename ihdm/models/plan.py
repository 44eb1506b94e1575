"""Estimated memory, GPU-hours and disk space of each trained network of a scale."""

from dataclasses import dataclass

import pandas as pd

from ihdm.config.scale import Config
from ihdm.config.settings import DatasetSettings
from ihdm.data.sources import find_source
from ihdm.metrics.features import PrincipalFeatures
from ihdm.models.footprint import COPIES_IN_STATE, COPIES_IN_TRAINING, WEIGHT_BYTES, activations, inference
from ihdm.models.work import Work, networks_work

GB = 1e9
HOUR = 3600.0
MARGIN = 0.2
"""Share of GPU memory reserved for CUDA, cuDNN buffers and fragmentation."""
FORWARD_AND_BACKWARD = 3
"""Cost of a forward and a backward pass in forward passes."""
STORED_SETS = 2
"""Samples and their starts."""


@dataclass(frozen=True)
class Machine:
    """An assumed GPU.

    Attributes:
        tflops: achieved TFLOP/s in float32 with TF32 convolutions.
        mixed_tflops: achieved TFLOP/s in fp16 or bf16.
        memory: bytes.
    """

    tflops: float
    mixed_tflops: float
    memory: float

    def speed(self, precision: str) -> float:
        """Return the TFLOP/s of a precision."""
        return self.tflops if precision == "no" else self.mixed_tflops

    def largest(self, fixed: float, per_image: float, most: int) -> int:
        """Return the largest batch size, a power of two up to ``most``, that fits in memory; 0 if none does."""
        free = self.memory * (1 - MARGIN) - fixed
        batch = 1 << (most.bit_length() - 1)
        while batch and batch * per_image > free:
            batch //= 2
        return batch


def seconds_of(config: Config, machine: Machine, name: str, work: Work) -> float:
    """Return the run time of work with the network of an experiment; checkpointing adds a forward pass."""
    experiment = config.variants[name].experiment
    training = (FORWARD_AND_BACKWARD + config.run(name).gradient_checkpointing) * work.trained + work.validated
    seconds = training / machine.speed(experiment.training.mixed_precision)
    seconds += work.evaluated / machine.speed(config.evaluation.compute.precision)
    return inference(experiment.network).flops * seconds / 1e12


def plan_rows(config: Config, machine: Machine) -> pd.DataFrame:
    """Return one row per trained network, which includes samples of its sampling variants.

    Memory is in GB of 10⁹ bytes, time in hours of one GPU. Columns ``*_largest`` are the largest batch sizes that fit.
    """
    return pd.DataFrame(
        [
            {"experiment": name, "base": variant.base, "dataset": variant.dataset}
            | _memory(config, machine, name)
            | _time(config, machine, name)
            | _disk(config, name)
            for name, variant in config.variants.items()
            if variant.is_trained
        ]
    )


def _memory(config: Config, machine: Machine, name: str) -> dict[str, object]:
    experiment = config.variants[name].experiment
    preset, training = experiment.network, experiment.training
    network = inference(preset)
    weights = network.parameters * WEIGHT_BYTES
    kept, again = (activations(preset, training.mixed_precision, checkpointed) for checkpointed in (False, True))
    trained = min(config.run(name).micro_batch or training.batch_size, training.batch_size)
    sampled, shard = config.sampling(name).micro_batch, config.evaluation.num_samples // config.evaluation.num_shards
    row: dict[str, object] = {
        "precision": training.mixed_precision,
        "parameters": network.parameters,
        "gflop_per_image": network.flops / 1e9,
        "saved_gb_per_image": kept.saved.per_image / GB,
        "training_micro_batch": trained,
    }
    for label, found in (("training", kept), ("checkpointed", again)):
        fixed = COPIES_IN_TRAINING * weights + found.peak.fixed
        row[f"{label}_gb"] = (COPIES_IN_TRAINING * weights + found.peak.of(trained)) / GB
        row[f"{label}_largest"] = machine.largest(fixed, found.peak.per_image, training.batch_size)
    return row | {
        "sampling_micro_batch": sampled,
        "sampling_gb": (weights + network.peak.of(sampled)) / GB,
        "sampling_largest": machine.largest(weights + network.peak.fixed, network.peak.per_image, shard),
    }


def _time(config: Config, machine: Machine, name: str) -> dict[str, object]:
    stages = networks_work(config, name)
    hours = {stage: seconds_of(config, machine, name, work) / HOUR for stage, work in stages.items()}
    return {
        **{f"{stage}_evaluations": work.images for stage, work in stages.items()},
        **{f"{stage}_hours": value for stage, value in hours.items()},
        "gpu_hours": sum(hours.values()),
    }


def _disk(config: Config, name: str) -> dict[str, object]:
    variant = config.variants[name]
    weights = inference(variant.experiment.network).parameters * WEIGHT_BYTES
    sets = sum(len(other.delta_ratios) for other in config.variants.values() if other.model == name)
    count, dataset = config.evaluation.num_samples * sets, config.datasets[variant.dataset]
    feature_bytes = _num_features(config, variant.dataset) * WEIGHT_BYTES
    return {
        "state_gb": COPIES_IN_STATE * weights / GB,
        "weights_gb": weights / GB,
        "samples_gb": STORED_SETS * count * _values(dataset) / GB,
        "features_gb": count * feature_bytes / GB,
        "data_gb": _images(dataset) * _values(dataset) / GB,
        "data_features_gb": _images(dataset) * feature_bytes / GB,
    }


def _values(dataset: DatasetSettings) -> int:
    return dataset.image_size**2 * dataset.image_channels


def _images(dataset: DatasetSettings) -> float:
    """Return the number of images of both splits; NaN if unknown."""
    return sum(find_source(dataset).counts.values()) or float("nan")


def _num_features(config: Config, dataset: str) -> int:
    kinds = {"inception": 2048, "efficientnet": 1280, "pca": PrincipalFeatures.NUM_COMPONENTS}
    return kinds.get(config.evaluation.extractors[dataset], _values(config.datasets[dataset]))


def plan_text(rows: pd.DataFrame, machine: Machine) -> str:
    """Return the plan in Markdown: assumptions, and tables of memory, GPU-hours and disk space."""
    return "\n\n".join(
        [
            f"Estimates for a GPU with {machine.memory / GB:g} GB that reaches {machine.tflops:g} TFLOP/s in float32 "
            f"with TF32 and {machine.mixed_tflops:g} in fp16 or bf16; small networks reach less. Memory is the total "
            f"of all tensors in a simulated forward pass, with {COPIES_IN_TRAINING} copies of the weights in training; "
            f"“fits” leaves {MARGIN:.0%} of the memory free for buffers.",
            "Memory in GB; variants need as much as their experiment:",
            _memory_table(rows[rows["experiment"] == rows["base"]]),
            "GPU-hours:",
            _hours_table(rows),
            "Disk space in GB at the end. Training temporarily keeps up to three copies of its state, and sharded "
            "samples temporarily take twice their space:",
            _disk_table(rows),
        ]
    )


def _memory_table(rows: pd.DataFrame) -> str:
    shown = pd.DataFrame(
        {
            "experiment": rows["experiment"],
            "precision": rows["precision"].replace("no", "float32"),
            "M parameters": rows["parameters"] / 1e6,
            "GFLOP an image": rows["gflop_per_image"],
            "saved an image": rows["saved_gb_per_image"],
            "micro-batch": rows["training_micro_batch"],
            "training": rows["training_gb"],
            "fits": rows["training_largest"],
            "training, checkpointed": rows["checkpointed_gb"],
            "fits, checkpointed": rows["checkpointed_largest"],
            "samples at a time": rows["sampling_micro_batch"],
            "sampling": rows["sampling_gb"],
            "fits, sampling": rows["sampling_largest"],
        }
    )
    places = {"saved an image": ".3f"}
    return shown.to_markdown(index=False, floatfmt=tuple(places.get(column, ".1f") for column in shown.columns))


def _hours_table(rows: pd.DataFrame) -> str:
    stages = [
        column.removesuffix("_hours") for column in rows.columns if column.endswith("_hours") and column[0] != "g"
    ]
    shown = rows[["experiment"]].assign(
        **{"M evaluations": rows[[f"{stage}_evaluations" for stage in stages]].sum(axis=1) / 1e6},
        **{stage: rows[f"{stage}_hours"] for stage in stages},
        all=rows["gpu_hours"],
    )
    return _with_total(shown).to_markdown(index=False, floatfmt=".2f")


def _disk_table(rows: pd.DataFrame) -> str:
    sums = dict.fromkeys(("state_gb", "weights_gb", "samples_gb", "features_gb"), "sum")
    shown = rows.groupby("dataset", sort=False).agg({"data_gb": "first", "data_features_gb": "first", **sums})
    shown["features_gb"] += shown.pop("data_features_gb")
    shown["all"] = shown.sum(axis=1, skipna=False)
    named = shown.rename(columns=lambda name: name.removesuffix("_gb")).reset_index()
    named = named.rename(columns={"dataset": "data set", "state": "training states"})
    table = _with_total(named).astype(object)
    return table.where(table.notna(), None).to_markdown(index=False, floatfmt=".1f", missingval="unknown")


def _with_total(table: pd.DataFrame) -> pd.DataFrame:
    total = table.sum(numeric_only=True, skipna=False).to_frame().T
    total.insert(0, table.columns[0], "all")
    return pd.concat([table, total], ignore_index=True)
