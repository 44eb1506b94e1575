import copy

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from ihdm.config.settings import RunSettings
from ihdm.errors import UserError
from ihdm.heat import heat_process
from ihdm.models.batches import BatchLoader, draw_batch
from ihdm.models.trainer import Trainer, learning_rate, make_accelerator
from ihdm.seeds import torch_seed


@pytest.fixture
def make_trainer(images):
    def make(experiment, **run):
        accelerator = make_accelerator(experiment.training.mixed_precision)
        return Trainer(experiment, images, accelerator, RunSettings(**run))

    return make


def parameters(trainer):
    return torch.cat([parameter.detach().flatten().clone() for parameter in trainer.unet.parameters()])


def averages(trainer):
    return torch.cat([average.flatten().clone() for average in trainer.averages])


def poison(trainer, steps, value=float("nan")):
    """Let the network give ``value`` at the given steps."""

    def spoil(_module, _arguments, output):
        return output * value if trainer.step in steps else output

    trainer.unet.register_forward_hook(spoil)


def test_four_steps_against_plain_torch(make_experiment, make_trainer, images):
    """Loss, warm-up, clipping, Adam and the average of the weights, each written out."""
    experiment = make_experiment(gradient_clip=0.05, learning_rate=0.002)
    trainer = make_trainer(experiment)
    network = copy.deepcopy(trainer.unet)
    average = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    heat = heat_process(experiment.process, 8)
    norms = []
    # The first update copies the weights, one step later than (1 + n) / (10 + n) says.
    for step, decay in enumerate([0, 2 / 11, 3 / 12, 4 / 13]):
        batch = draw_batch(experiment, BatchLoader(images), step, slice(0, 8))
        noisy = heat.blur(batch.images, batch.levels) + 0.01 * batch.noise
        error = noisy + network(noisy, batch.levels) - heat.blur(batch.images, batch.levels - 1)
        loss = (error**2).sum((1, 2, 3)).mean()
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), 0.05).item())
        optimizer.param_groups[0]["lr"] = 0.002 * (step + 1) / 4
        optimizer.step()
        for mean, parameter in zip(average, network.parameters(), strict=True):
            mean.mul_(decay).add_(parameter.detach(), alpha=1 - decay)
        assert trainer.train_step() == pytest.approx(loss.item(), rel=1e-5)
    assert max(norms) > 0.05  # clipping took part
    expected = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    torch.testing.assert_close(parameters(trainer), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(averages(trainer), torch.cat([mean.flatten() for mean in average]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("micro_batch", [1, 3, 8, 100])
def test_micro_batches_change_nothing_but_rounding(make_experiment, make_trainer, micro_batch):
    whole, parted = make_trainer(make_experiment()), make_trainer(make_experiment(), micro_batch=micro_batch)
    sizes = []
    parted.unet.register_forward_hook(lambda _module, arguments, _output: sizes.append(len(arguments[0])))
    for _ in range(4):
        assert parted.train_step() == pytest.approx(whole.train_step(), rel=1e-5)
    assert max(sizes) <= micro_batch
    assert sum(sizes) == 4 * 8


def test_dropout_depends_on_the_step_and_nothing_before_it(make_experiment, make_trainer):
    experiment = make_experiment(dropout=0.5)
    first, second = make_trainer(experiment), make_trainer(experiment)
    first.train_step()
    torch.manual_seed(0)
    torch.rand(100)
    second.train_step()
    assert torch.equal(parameters(first), parameters(second))
    assert torch_seed(3, "dropout", 0, 0, 0) != torch_seed(3, "dropout", 0, 0, 1)


def test_loss_falls(make_experiment, make_trainer):
    trainer = make_trainer(make_experiment(learning_rate=0.005, warmup_steps=0))
    losses = [trainer.train_step() for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({}, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        ({"learning_rate_decay": "cosine"}, [0.25, 0.5, 0.75, 1, 1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4]),
        ({"learning_rate_decay": "cosine", "warmup_steps": 0, "steps": 2}, [1, 0.5]),
        ({"learning_rate_decay": "cosine", "steps": 3}, [0.25, 0.5, 0.75]),
    ],
)
def test_learning_rates_rise_and_stay_or_fall(make_experiment, changes, rates):
    training = make_experiment(**{"steps": 8, "learning_rate": 1.0} | changes).training
    np.testing.assert_allclose([learning_rate(training, step) for step in range(training.steps)], rates)


def test_a_step_that_is_not_finite_changes_nothing(make_experiment, make_trainer):
    trainer = make_trainer(make_experiment())
    poison(trainer, {2, 3})
    trainer.train_step(), trainer.train_step()
    before, before_average = parameters(trainer), averages(trainer)
    assert np.isnan(trainer.train_step())
    assert np.isnan(trainer.train_step())
    assert torch.equal(parameters(trainer), before)
    assert torch.equal(averages(trainer), before_average)
    assert (trainer.step, trainer.skipped, len(trainer.unlogged_losses)) == (4, 2, 2)
    trainer.train_step()
    assert (trainer.step, trainer.skipped, trainer.skipped_in_a_row) == (5, 2, 0)
    assert not torch.equal(parameters(trainer), before)
    expected = before_average.lerp(parameters(trainer), 1 - 3 / 12)  # skipped steps do not count
    torch.testing.assert_close(averages(trainer), expected, atol=1e-6, rtol=0)


def test_a_gradient_that_is_not_finite_is_skipped_too(make_experiment, make_trainer):
    trainer = make_trainer(make_experiment())
    before = parameters(trainer)
    next(trainer.unet.parameters()).register_hook(lambda gradient: gradient + float("inf"))
    assert np.isfinite(trainer.train_step())
    assert trainer.skipped == 1
    assert torch.equal(parameters(trainer), before)


def test_a_few_in_a_row_end_the_training(make_experiment, make_trainer):
    trainer = make_trainer(make_experiment())
    poison(trainer, {0, 1, 3, 4, 5, 6, 7})
    for _ in range(7):
        trainer.train_step()
    with pytest.raises(UserError, match=r"not finite in 5 steps in a row, up to step 8.*lower training\.learning_rate"):
        trainer.train_step()


def test_loss_scale_of_half_precision(make_experiment, make_trainer, monkeypatch):
    """The scaler of fp16, on the CPU: a step that overflows lowers the scale, and that is no failure."""
    trainer = make_trainer(make_experiment())
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    trainer.accelerator.scaler = scaler
    trainer.accelerator.native_amp = True
    monkeypatch.setitem(trainer.accelerator.state._shared_state, "_mixed_precision", "fp16")
    optimizer = trainer.optimizer.optimizer
    trainer.optimizer = type(trainer.optimizer)(optimizer, scaler=scaler)
    trainer.accelerator._optimizers = [trainer.optimizer]
    overflow = [1]
    next(trainer.unet.parameters()).register_hook(lambda g: g + float("inf") if trainer.step in overflow else g)
    for step in range(3):
        before = parameters(trainer)
        assert np.isfinite(trainer.train_step())
        assert torch.equal(parameters(trainer), before) == (step in overflow)
    assert scaler.get_scale() == 2.0**15
    assert trainer.skipped == 1


def test_lower_precision_is_the_networks_alone(make_experiment, make_trainer):
    exact = make_trainer(make_experiment()).train_step()
    AcceleratorState._reset_state(reset_partial_state=True)
    trainer = make_trainer(make_experiment(mixed_precision="bf16"))
    seen = []
    for layer in (trainer.unet.conv_in, trainer.unet.conv_out):
        layer.register_forward_hook(lambda _module, _arguments, output: seen.append(output.dtype))
    trainer.unet.register_forward_hook(lambda _module, arguments, _output: seen.append(arguments[0].dtype))
    assert trainer.train_step() == pytest.approx(exact, rel=1e-5)  # f = 0 at first, so only the blur is compared
    assert seen == [torch.float32, torch.bfloat16, torch.float32]
    assert {parameter.dtype for parameter in trainer.unet.parameters()} == {torch.float32}


def test_checkpointed_gradients_are_the_same_with_dropout_too(make_experiment, make_trainer):
    losses = {}
    for checkpointing in (False, True):
        AcceleratorState._reset_state(reset_partial_state=True)
        trainer = make_trainer(make_experiment(dropout=0.2), gradient_checkpointing=checkpointing)
        losses[checkpointing] = [trainer.train_step() for _ in range(4)], parameters(trainer)
    assert losses[True][0] == losses[False][0]
    assert torch.equal(losses[True][1], losses[False][1])


def test_half_precision_needs_a_gpu():
    with pytest.raises(UserError, match="'fp16' needs a GPU"):
        make_accelerator("fp16")


def test_gpu_options_change_nothing_on_a_cpu(make_experiment, make_trainer):
    fast, plain = make_trainer(make_experiment(), compile=True, channels_last=True), make_trainer(make_experiment())
    assert fast.train_step() == plain.train_step()


def test_training_on_a_cpu_keeps_freed_memory(make_experiment, make_trainer, monkeypatch):
    calls = []
    monkeypatch.setattr("ihdm.models.trainer.keep_freed_memory", lambda: calls.append("kept"))
    make_trainer(make_experiment())
    assert calls == ["kept"]


def test_images_of_another_experiment_are_refused(make_experiment, images):
    with pytest.raises(UserError, match=r"of shape \(8, 4, 1\); the experiment expects \(8, 8, 1\)"):
        Trainer(make_experiment(), images[:, :, :4], make_accelerator("no"), RunSettings())
