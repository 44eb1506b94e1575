"""Samples as they form, still and moving."""

import numpy as np
import pytest
from PIL import Image

from ihdm.figures import is_animated
from ihdm.figures.style import HELD_MS, save_animation
from ihdm.figures.trajectories import animate


@pytest.fixture
def frames(made_up):
    return animate(made_up("trajectories", "digits", "photos"))


def test_it_moves_and_others_do_not():
    assert is_animated("trajectories")
    assert not is_animated("psd")


def test_a_frame_for_each_stage_all_of_one_size(frames):
    assert len(frames) == 11
    assert len({frame.size for frame in frames}) == 1
    assert len({frame.tobytes() for frame in frames}) == 11


def test_experiments_of_fewer_stages_end_with_the_others(made_up, frames):
    inputs = made_up("trajectories", "digits", "photos")
    path = inputs["trajectories"]["digits"][""]
    stored = dict(np.load(path))
    np.savez(path, levels=stored["levels"][[0, 5, 10]], states=stored["states"][[0, 5, 10]])
    fewer = animate(inputs)
    assert len(fewer) == 11
    assert fewer[-1].tobytes() == frames[-1].tobytes()


def test_the_animation_is_without_loss_and_the_same_every_time(frames, tmp_path):
    for name in ("a", "b"):
        save_animation(frames, tmp_path / f"{name}.png")
    assert (tmp_path / "a.webp").read_bytes() == (tmp_path / "b.webp").read_bytes()
    with Image.open(tmp_path / "a.webp") as stored:
        assert stored.n_frames == len(frames)
        assert stored.info["loop"] == 0
        stored.seek(stored.n_frames - 1)
        assert np.array_equal(np.asarray(stored.convert("RGB")), np.asarray(frames[-1]))
        stored.load()
        assert stored.info["duration"] == HELD_MS
