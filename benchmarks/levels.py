"""Variance of a batch's gradient with independent levels and with levels stratified over the batch.

Both see the same images with the same noise, and have the same mean gradient; what differs is how far one batch's
gradient is from it, at several stages of a training.

Usage: python benchmarks/levels.py [CONFIG]
"""

import sys

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.config.experiments import Experiment
from ihdm.config.reading import read_config
from ihdm.config.settings import RunSettings
from ihdm.data.sources import load_splits
from ihdm.models.batches import draw_batch
from ihdm.models.trainer import Trainer, make_accelerator

STAGES = (100, 1000, 3000)
NUM_BATCHES = 200
FIRST_BATCH = 10**6
"""Far beyond the steps of the training itself."""


def gradients(trainer: Trainer, experiment: Experiment) -> Float[Tensor, "batches parameters"]:
    """Return the gradient of the mean loss on each of many batches."""
    rows = []
    for number in range(NUM_BATCHES):
        batch = draw_batch(experiment, trainer.loader, FIRST_BATCH + number, slice(0, experiment.training.batch_size))
        loss = trainer.prediction.loss(trainer.network, batch.images, batch.levels, batch.noise).mean()
        parts = torch.autograd.grad(loss, trainer.parameters)
        rows.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(rows)


def main() -> None:
    """Print one row for each experiment and stage: Σ Var(g) / ‖E g‖² of both, and the ratio with its standard error."""
    torch.set_num_threads(1)
    config = read_config(sys.argv[1] if len(sys.argv) > 1 else "workflow/config/quick.yaml")
    print(f"| experiment | step | uniform | stratified | stratified / uniform ({NUM_BATCHES} batches) |")
    print("|---|---|---|---|---|")
    for name in config.experiments:
        experiment = config.variants[name].experiment
        images = np.asarray(load_splits(experiment.dataset)["train"])
        trainer = Trainer(experiment, images, make_accelerator("no"), RunSettings())
        for stage in STAGES:
            while trainer.step < stage:
                trainer.train_step()
            squares, relative = {}, {}
            for choice in ("uniform", "stratified"):
                training = experiment.training.model_copy(update={"levels": choice})
                rows = gradients(trainer, experiment.model_copy(update={"training": training}))
                mean = rows.mean(0)
                squares[choice] = (rows - mean).square().sum(1).double().numpy() * NUM_BATCHES / (NUM_BATCHES - 1)
                relative[choice] = squares[choice].mean() / float(mean.square().sum())
            ratio = squares["stratified"].mean() / squares["uniform"].mean()
            # Both use the same batches, so the error of the ratio is that of the paired differences.
            error = np.std(squares["stratified"] - ratio * squares["uniform"], ddof=1)
            error /= squares["uniform"].mean() * np.sqrt(NUM_BATCHES)
            cells = [f"{relative[choice]:.2f}" for choice in ("uniform", "stratified")]
            print(f"| {name} | {stage} | {' | '.join(cells)} | {ratio:.2f} ± {error:.2f} |", flush=True)


if __name__ == "__main__":
    main()
