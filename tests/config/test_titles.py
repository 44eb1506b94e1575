"""Display titles of experiments."""

from pathlib import Path

from ihdm.config.reading import read_config
from ihdm.config.titles import titles

ROOT = Path(__file__).parents[2]


def test_titles_are_composed_of_the_settings_and_unique():
    found = titles(read_config(ROOT / "workflow/config/quick.yaml"))
    assert found["digits"] == "digits, heat"
    assert found["digits_diffusion-sampler_ddim50"] == "digits, diffusion (DDIM, 50 steps)"
    assert found["digits_whitened"] == "digits, heat (whitened, DDIM, 40 steps)"
    assert found["digits_brief-seed1"] == "digits, heat, 400 training steps (seed 1)"
    assert len(set(found.values())) == len(found)


def test_equal_titles_get_the_name():
    config = read_config(ROOT / "workflow/config/smoke.yaml")
    copied = config.experiments | {"copy": config.experiments["digits"]}
    found = titles(config.model_copy(update={"experiments": copied}))
    assert (found["digits"], found["copy"]) == ("digits, heat [digits]", "digits, heat [copy]")
