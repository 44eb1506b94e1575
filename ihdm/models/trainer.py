"""A training step: network, optimizer and averaged weights (paper, algorithm 1)."""

import math
from contextlib import nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from ihdm.config.experiments import Experiment
from ihdm.config.settings import RunSettings, TrainingSettings
from ihdm.devices import keep_freed_memory
from ihdm.errors import UserError
from ihdm.models.batches import Batch, BatchLoader, draw_batch, even_slices
from ihdm.models.network import WEIGHTS_NAME, Deblurrer, build_network, copy_weights, optimize
from ihdm.models.unet import UNet
from ihdm.predictions import Predictor
from ihdm.processes import build_process
from ihdm.seeds import torch_seed
from ihdm.storage.files import sha256
from ihdm.storage.images import StoredImages

SKIPS_IN_A_ROW = {"no": 5, "bf16": 5, "fp16": 25}
"""Number of consecutive skipped steps that ends a training. With fp16, the loss scale starts at 2¹⁶ and each skip
halves it until the gradients fit, so that the first skips are normal."""


def make_accelerator(mixed_precision: str) -> Accelerator:
    """Return the accelerator: device, processes and precision.

    Raises:
        UserError: if the device does not support the precision.
    """
    accelerator = Accelerator(mixed_precision=mixed_precision, cpu=not torch.accelerator.is_available())
    if mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise UserError("training.mixed_precision 'fp16' needs a GPU; use 'bf16' or 'no'")
    return accelerator


def learning_rate(training: TrainingSettings, step: int) -> float:
    """Return the learning rate of step ``step``, counted from 0: linear warm-up, then constant or a cosine to 0."""
    if step < training.warmup_steps or training.learning_rate_decay == "none":
        return training.learning_rate * min(1.0, (step + 1) / max(training.warmup_steps, 1))
    share = (step - training.warmup_steps) / (training.steps - training.warmup_steps)
    return training.learning_rate * (1 + math.cos(math.pi * share)) / 2


class Trainer:
    """The state of a training between two steps.

    Args:
        experiment: the experiment.
        images: the training images.
        accelerator: device, precision and processes.
        run: settings that do not change the result.
        initial_weights: folder of a trained network to start from; random weights by default.

    Attributes:
        averages: averaged weights, in the order of the parameters.
        initial_weights: SHA-256 of the initial weights; None for random ones.
        step: number of steps, including skipped ones.
        skipped: number of steps skipped because loss or gradient was not finite.
        skipped_in_a_row: number of consecutive skipped steps up to now.
        unlogged_losses: finite losses since the last entry of the history.

    Raises:
        UserError: if images or initial weights do not fit the experiment, or there are more processes than images in a
            batch.
    """

    def __init__(
        self,
        experiment: Experiment,
        images: StoredImages,
        accelerator: Accelerator,
        run: RunSettings,
        initial_weights: Path | None = None,
    ) -> None:
        dataset, training, device = experiment.dataset, experiment.training, accelerator.device
        expected = (dataset.image_size, dataset.image_size, dataset.image_channels)
        if images.shape[1:] != expected:
            raise UserError(f"the training images are of shape {images.shape[1:]}; the experiment expects {expected}")
        if training.batch_size < accelerator.num_processes:
            raise UserError(
                f"training.batch_size {training.batch_size} cannot be split between {accelerator.num_processes} "
                "processes; increase it, or use fewer GPUs"
            )
        if device.type == "cpu":
            keep_freed_memory()
        self.experiment = experiment
        self.images = images
        self.loader = BatchLoader(images, device)
        self.accelerator = accelerator
        self.micro_batch = run.micro_batch or training.batch_size
        self.predictor = Predictor.fitted(experiment.predicted, images)
        self.prediction = self.predictor.on(build_process(experiment.process, dataset.image_size, device))
        torch.manual_seed(torch_seed(experiment.seed, "initial weights"))
        self.unet = build_network(experiment.network, self.predictor.num_inputs)
        self.initial_weights = None
        if initial_weights is not None:
            copy_weights(initial_weights, self.unet)
            self.initial_weights = sha256(initial_weights / WEIGHTS_NAME)
        self.unet.to(device)
        if run.gradient_checkpointing:
            self.unet.enable_gradient_checkpointing()
        optimize(self.unet, compile=run.compile, channels_last=run.channels_last)
        self.parameters: list[Tensor] = list(self.unet.parameters())
        self.averages = [weight.detach().clone() for weight in self.parameters]
        optimizer = torch.optim.Adam(
            self.parameters, lr=training.learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True
        )
        self.network, self.optimizer = accelerator.prepare(Deblurrer(self.unet), optimizer)
        self.network.train()
        self.step = 0
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.unlogged_losses: list[float] = []

    def train_step(self) -> float:
        """Take one optimizer step; return the mean loss of the whole batch, over all processes.

        If loss or gradient is not finite, only the counters change.

        Raises:
            UserError: if too many steps in a row were skipped.
        """
        loss, gradient_norm = self._accumulate_gradients()
        finite = math.isfinite(loss) and math.isfinite(gradient_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.experiment.training, self.step)
        # With fp16, the loss scaler skips the step itself, and lowers its scale in this call.
        if finite or self.accelerator.scaler is not None:
            self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        if finite:
            self._update_averages()
            self.unlogged_losses.append(loss)
            self.skipped_in_a_row = 0
        else:
            self.skipped += 1
            self.skipped_in_a_row += 1
            precision = self.experiment.training.mixed_precision
            if self.skipped_in_a_row == SKIPS_IN_A_ROW[precision]:
                raise UserError(
                    f"the loss or its gradient was not finite in {self.skipped_in_a_row} steps in a row, "
                    f"up to step {self.step}, with mixed_precision '{precision}'; lower training.learning_rate"
                    + (" or use 'bf16'" if precision == "fp16" else "")
                )
        return loss

    def _accumulate_gradients(self) -> tuple[float, float]:
        """Compute the clipped gradient of the mean loss; return the loss and the gradient norm."""
        training = self.experiment.training
        rank, num_processes = self.accelerator.process_index, self.accelerator.num_processes
        share = even_slices(training.batch_size, num_processes)[rank]
        batch = draw_batch(self.experiment, self.loader, self.step, share)
        size = len(batch.levels)
        parts = even_slices(size, math.ceil(size / self.micro_batch))
        total = torch.zeros((), device=self.accelerator.device)
        for number, part in enumerate(parts):
            self._seed_dropout(rank, number)
            here = Batch(*(tensor[part] for tensor in batch))
            with nullcontext() if number == len(parts) - 1 else self.accelerator.no_sync(self.network):
                losses = self.prediction.loss(self.network, here.images, here.levels, here.noise)
                loss = losses.sum() / training.batch_size
                # Gradients are averaged over the processes, but the loss is a sum over them.
                self.accelerator.backward(loss * num_processes)
            total += loss.detach()
        norm = self.accelerator.clip_grad_norm_(self.parameters, training.gradient_clip)
        mean_loss, gradient_norm = torch.stack([self.accelerator.reduce(total, "sum"), norm]).tolist()
        return mean_loss, gradient_norm

    def _seed_dropout(self, rank: int, micro_batch: int) -> None:
        seed = torch_seed(self.experiment.seed, "dropout", self.step, rank, micro_batch)
        if self.accelerator.device.type == "cpu":
            # torch.manual_seed also handles GPUs, which is slow compared to a small step.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    @torch.no_grad()
    def _update_averages(self) -> None:
        """Move the averages to the weights, with decay min(decay, (1 + n) / (10 + n)) after n updates.

        The first update copies the weights, so n is one less than in the released code.
        """
        updates = self.step - self.skipped - 1
        decay = min(self.experiment.training.ema_decay, (1 + updates) / (10 + updates)) if updates else 0.0
        torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)

    def averaged_network(self) -> UNet:
        """Return the network with its averaged weights, for evaluation."""
        with torch.device("meta"):
            network = build_network(self.experiment.network, self.predictor.num_inputs)
        network.to_empty(device=self.accelerator.device)
        with torch.no_grad():
            torch._foreach_copy_([*network.parameters()], self.averages)
        return network.eval()
