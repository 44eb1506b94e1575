"""Training of a deblurring network: resumable at any step, and the same to the bit on one CPU however often it stops.

Data order, levels, noise and dropout of a step derive from (seed, step), so the state holds weights and moments only.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import UNet2DModel
from diffusers.training_utils import EMAModel
from jaxtyping import Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ihdm.config import Experiment
from ihdm.errors import InterruptedTrainingError, UserError
from ihdm.files import atomic_path
from ihdm.heat import heat_process
from ihdm.images import StoredImages
from ihdm.network import Deblurrer, build_network
from ihdm.objective import deblurring_loss
from ihdm.provenance import settings_hash
from ihdm.seeds import generator, torch_seed
from ihdm.tensors import to_tensor

LOG_EVERY = 50
"""Steps over which the logged loss is averaged."""


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, num_images: int) -> Int[np.ndarray, "images"]:
    return generator(seed, "order of an epoch", epoch).permutation(num_images)


def batch_indices(seed: int, step: int, batch_size: int, num_images: int) -> Int[np.ndarray, "batch"]:
    """Return the images of one step: every epoch visits all images once, in an order of its own."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    return np.array([_epoch_order(seed, int(p // num_images), num_images)[p % num_images] for p in positions])


class Trainer:
    """The network, its optimiser and its averaged weights between two steps.

    Args:
        experiment: everything the result depends on.
        images: the training images.
        accelerator: device and precision.
    """

    def __init__(self, experiment: Experiment, images: StoredImages, accelerator: Accelerator) -> None:
        training = experiment.training
        self.experiment = experiment
        self.images = images
        self.accelerator = accelerator
        self.heat = heat_process(experiment.process, experiment.dataset.image_size, accelerator.device)
        torch.manual_seed(torch_seed(experiment.seed, "initial weights"))
        self.unet = build_network(experiment.network).to(accelerator.device)
        # The decay follows min(decay, (1 + n) / (10 + n)), one step later than in the paper's code.
        self.ema = EMAModel(self.unet.parameters(), decay=training.ema_decay)
        optimizer = torch.optim.Adam(self.unet.parameters(), lr=training.learning_rate, betas=(0.9, 0.999), eps=1e-8)
        self.network, self.optimizer = accelerator.prepare(Deblurrer(self.unet), optimizer)
        self.step = 0
        self.unlogged_losses: list[torch.Tensor] = []

    def learning_rate(self) -> float:
        """Return the learning rate of the next step: linear warm-up, then constant."""
        training = self.experiment.training
        return training.learning_rate * min(1.0, (self.step + 1) / max(training.warmup_steps, 1))

    def train_step(self) -> None:
        """Take one optimiser step; the batch's mean loss joins ``unlogged_losses``, still on the device."""
        training, process, seed = self.experiment.training, self.experiment.process, self.experiment.seed
        device = self.accelerator.device
        images = to_tensor(self.images[batch_indices(seed, self.step, training.batch_size, len(self.images))], device)
        rng = generator(seed, "training step", self.step)
        levels = torch.as_tensor(rng.integers(1, process.num_levels, len(images), endpoint=True), device=device)
        noise = torch.as_tensor(rng.standard_normal(tuple(images.shape), dtype=np.float32), device=device)
        torch.manual_seed(torch_seed(seed, "dropout", self.step))

        self.network.train()
        loss = deblurring_loss(self.network, self.heat, images, levels, noise, process.sigma).mean()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.network.parameters(), training.gradient_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.unet.parameters())
        self.step += 1
        self.unlogged_losses.append(loss.detach())

    def averaged_network(self) -> UNet2DModel:
        """Return the network with its averaged weights, for evaluation."""
        network = build_network(self.experiment.network)
        self.ema.copy_to(network.parameters())
        return network.eval()

    def save_state(self, path: Path) -> None:
        """Write everything that the next step depends on, atomically."""
        tensors = {"unlogged_losses": torch.tensor([loss.item() for loss in self.unlogged_losses])}
        for (name, parameter), average in zip(self.unet.named_parameters(), self.ema.shadow_params, strict=True):
            moments = self.optimizer.state[parameter]
            tensors[f"weight.{name}"] = parameter.detach().contiguous()
            tensors[f"average.{name}"] = average.contiguous()
            tensors[f"moment1.{name}"] = moments["exp_avg"].contiguous()
            tensors[f"moment2.{name}"] = moments["exp_avg_sq"].contiguous()
        header = {"step": str(self.step), "settings_sha256": settings_hash(self.experiment)}
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata=header)

    def load_state(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            UserError: if the file is damaged or belongs to other settings.
        """
        try:
            with safe_open(path, framework="pt", device="cpu") as stored:
                header = stored.metadata() or {}
                if header.get("settings_sha256") != settings_hash(self.experiment):
                    raise UserError(
                        f"{path}: this training state was made with other settings; "
                        "restore those settings to go on with it, or delete the file to start again"
                    )
                self.step = int(header["step"])
                self.unlogged_losses = list(stored.get_tensor("unlogged_losses").to(self.accelerator.device))
                for (name, parameter), average in zip(
                    self.unet.named_parameters(), self.ema.shadow_params, strict=True
                ):
                    parameter.data.copy_(stored.get_tensor(f"weight.{name}"))
                    average.copy_(stored.get_tensor(f"average.{name}"))
                    self.optimizer.state[parameter] = {
                        "step": torch.tensor(float(self.step)),
                        "exp_avg": stored.get_tensor(f"moment1.{name}").to(parameter.device),
                        "exp_avg_sq": stored.get_tensor(f"moment2.{name}").to(parameter.device),
                    }
        except (SafetensorError, KeyError, ValueError) as error:
            raise UserError(f"{path}: damaged training state ({error}); delete it to start again") from None
        self.ema.optimization_step = self.step


def _read_history(path: Path) -> list[dict[str, float]]:
    """Read the logged rows, of which a kill may have cut the last one short."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within the block, SIGINT, SIGTERM and SIGUSR1 are remembered instead of acted on; gives the question to ask."""
    received: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        received.append(number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    previous = {number: signal.signal(number, remember) for number in signals}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def train(
    experiment: Experiment,
    images: StoredImages,
    state: Path,
    *,
    save_minutes: float = 5.0,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> tuple[UNet2DModel, list[dict[str, float]]]:
    """Train to the end, going on from ``state`` if it exists; return the averaged network and the history.

    Args:
        experiment: everything the result depends on.
        images: the training images.
        state: folder that holds the training state while training is under way; removed at the end.
        save_minutes: minutes between two savings of the state.
        report: called after every step with the number of steps done and the loss of the last logged ones.

    Raises:
        InterruptedTrainingError: if a signal asked to stop; the state is saved.
        UserError: if the state cannot be used, or the loss is not finite.
    """
    accelerator = Accelerator(mixed_precision=experiment.training.mixed_precision)
    trainer = Trainer(experiment, images, accelerator)
    state_file, history_file = state / "state.safetensors", state / "history.jsonl"
    history: list[dict[str, float]] = []
    if state_file.exists():
        trainer.load_state(state_file)
        history = [row for row in _read_history(history_file) if row["step"] <= trainer.step]
    state.mkdir(parents=True, exist_ok=True)
    history_file.write_text("".join(json.dumps(row) + "\n" for row in history))

    last_saved = time.monotonic()
    with stop_requests() as stop_requested, history_file.open("a") as log:
        while trainer.step < experiment.training.steps:
            trainer.train_step()
            if trainer.step % LOG_EVERY == 0 or trainer.step == experiment.training.steps:
                mean_loss = torch.stack(trainer.unlogged_losses).mean().item()
                trainer.unlogged_losses.clear()
                if not np.isfinite(mean_loss):
                    raise UserError(
                        f"the training loss is not finite near step {trainer.step}; "
                        "lower training.learning_rate, or use mixed_precision 'bf16' instead of 'fp16'"
                    )
                history.append({"step": trainer.step, "loss": mean_loss})
                log.write(json.dumps(history[-1]) + "\n")
                log.flush()
            report(trainer.step, history[-1]["loss"] if history else float("nan"))
            if stop_requested() or time.monotonic() - last_saved > save_minutes * 60:
                trainer.save_state(state_file)
                last_saved = time.monotonic()
            if stop_requested():
                raise InterruptedTrainingError(f"stopped at step {trainer.step}; the same command goes on from there")
    return trainer.averaged_network(), history
