import datetime
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ihdm.config.experiments import Experiment, format_number
from ihdm.config.processes import PAPER, DiffusionSettings, with_evaluations
from ihdm.config.reading import parse_config, read_config
from ihdm.config.scale import FIGURES, Config
from ihdm.config.stages import DistanceSettings
from ihdm.data.sources import check_sources
from ihdm.errors import UserError
from ihdm.measures import find
from ihdm.measures.errors import error_settings
from ihdm.measures.evaluations import study_settings
from ihdm.measures.inputs import distance_settings
from ihdm.measures.likelihood import joint_settings, likelihood_settings
from ihdm.measures.memorisation import memorization_settings
from ihdm.metrics.distance import measure_distances
from ihdm.metrics.estimates import Estimate
from ihdm.metrics.frechet_kernel import Moments
from ihdm.runs import Run

ROOT = Path(__file__).parents[2]
SECOND = (
    "has order 2, which needs estimates of the clean image, but prediction 'residual' of process 'heat' estimates "
    "another level; use a sampler of order 1, or prediction 'whitened'"
)
"""What is said of a second-order sampler of a network that predicts the next level."""
CONFIGS = [ROOT / "config.yaml", *sorted((ROOT / "workflow/config").glob("*.yaml"))]


@pytest.fixture
def quick() -> dict:
    """The quick scale, without what two of its parts share."""
    return json.loads(json.dumps(yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())))


@pytest.fixture
def plain(quick) -> dict:
    """The same of the paper's process and sampler alone, with other sweeps."""
    quick["experiments"] = {name: quick["experiments"][name] for name in ("digits", "photos")}
    del quick["samplers"], quick["studies"], quick["diagnostics"], quick["restoration"], quick["figures"]["evaluations"]
    del quick["figures"]["restoration"]
    ratios = quick["sweeps"]["delta_ratio"]
    quick["sweeps"] = {"delta_ratio": ratios, "sigma": {"digits": [0.02]}, "levels": {"digits": ["as_released"]}}
    quick["figures"] |= {"sweep_curves": ["digits"], "delta_curve": ["digits", "digits-sigma0.02", "photos"]}
    for figure, names in list(quick["figures"].items()):
        left = [name for name in names if name.partition("-")[0] in quick["experiments"]]
        quick["figures"][figure] = left
        if not left:
            del quick["figures"][figure]
    return quick


def change(values: dict, path: str, value: object) -> dict:
    """Set one value, e.g. at ``experiments.digits.process.sigma``."""
    *parents, last = path.split(".")
    place = values
    for key in parents:
        place = place[key]
    place[last] = value
    return values


def mistakes(values: dict | Path) -> str:
    """What is said of values, or of a file, that are refused."""
    with pytest.raises(UserError) as caught:
        read_config(values) if isinstance(values, Path) else parse_config(values)
    return str(caught.value)


def test_scales_do_not_share_results():
    folders = [read_config(path).results for path in CONFIGS]
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "experiments.digits.process.sigma",
            "1e-2",
            "experiments.digits.process.sigma: '1e-2' is text where a number belongs (YAML reads 1e-4 as text; write "
            "1.0e-4)",
        ),
        (  # as Snakemake reads --config "evaluation={num_samples: 30}"
            "evaluation.num_samples",
            "30",
            "evaluation.num_samples: '30' is text where a number belongs (remove quotation marks; --config makes all "
            "nested values text, so edit a configuration file instead)",
        ),
        (
            "evaluation.extrapolate",
            "true",
            "evaluation.extrapolate: 'true' is text where a boolean belongs (remove quotation marks; --config",
        ),
        (
            "experiments.digits.process.sigma",
            0,
            "experiments.digits.process.sigma: Input should be greater than 0, not 0",
        ),
        ("experiments.digits.process.num_levels", 0, "experiments.digits.process.num_levels"),
        ("experiments.digits.process.num_levels", 1.5, "experiments.digits.process.num_levels"),
        ("experiments.digits.process.blur_sigma_max", 0.1, "blur_sigma_max 0.1 is below blur_sigma_min 0.3"),
        ("experiments.digits.dataset", "digit", "experiments.digits.dataset: 'digit' is not defined; known are digits"),
        ("experiments.digits.seed", -1, "experiments.digits.seed"),
        ("networks.digits.image_size", 9, "networks.digits: image_size 9 cannot be halved 1 times"),
        ("networks.digits.norm_groups", 5, "norm_groups 5 does not divide the width 16"),
        ("networks.digits.attention_stages", [2], "attention_stages must be in 0…1, not [2]"),
        ("networks.digits.channel_multipliers", [], "networks.digits.channel_multipliers"),
        ("networks.digits.dropout", 1.0, "networks.digits.dropout"),
        ("sweeps.delta_ratio.digits", [1, 1.0], "sweeps.delta_ratio.digits: 1 is listed twice"),
        ("sweeps.sigma.digits", [1e-11], "sweeps.sigma.digits: 1e-11 has more than ten decimals"),
        ("evaluation.delta_ratio", 1 / 3, "evaluation.delta_ratio: 0.3333333333333333 has more than ten decimals"),
        ("evaluation.extractors.phtos", "dct", "evaluation.extractors: 'phtos' is not defined"),
        ("experiments.digits.seed", datetime.date(2026, 1, 1), "experiments.digits.seed: '2026-01-01' is text"),
        ("evaluation.prior_noise", "gamma", "evaluation.prior_noise"),
        ("figures.sweep_curves", ["photos"], "figures.sweep_curves: no numeric parameter of 'photos' is swept; add"),
        (
            "figures.training_efficiency",
            ["digits", "photos"],
            "figures.training_efficiency: 'photos' keeps no snapshots of its training; set run.snapshot_every",
        ),
        (
            "figures.evaluations",
            ["digits_brief"],
            "figures.evaluations: 'digits_brief' is not studied; add it under studies, or remove it here",
        ),
        ("figures.restoration", ["digits_whitened"], "figures.restoration: 'digits_whitened' is not studied; add it"),
        ("datasets.digits.image_channels", 2, "datasets.digits.image_channels"),
        ("experiments.Digits", {}, "experiments.Digits"),
        ("sweeps.sampler", {"digits": ["marko"]}, "sweeps.sampler.digits: 'marko' is not defined"),
        ("experiments.digits_diffusion.sampler", "paper", "adds noise δ, which process 'diffusion' does not have"),
        ("experiments.digits.sampler", "second", f"experiments.digits.sampler: sampler 'second' {SECOND}"),
        ("sweeps.sampler", {"digits": ["second"]}, f"sweeps.sampler.digits: sampler 'second' {SECOND}"),
        (
            "studies.digits_blurring",
            {"samplers": ["ddim", "second"], "counts": [5]},
            "studies.digits_blurring.samplers: sampler 'second' has order 2, which needs estimates of the clean image, "
            "but prediction 'noise' of process 'blurring' estimates another level",
        ),
        (
            "restoration.digits.sampler",
            "second",
            "restoration.digits.sampler: sampler 'second' has order 2, but restoration adds noise",
        ),
        (
            "samplers.second.coupling",
            "markov",
            "samplers.second: order 2 is not defined for coupling 'markov' with noise 'none'; use coupling "
            "'deterministic' and noise 'none', or order 1",
        ),
        ("samplers.paper", {"coupling": "markov"}, "samplers.paper: this is the name of a built-in sampler"),
        ("samplers.cold", {"coupling": "deterministic", "noise": "measured"}, "leaves no room for noise"),
        ("studies.digit", {"samplers": ["paper"], "counts": [5]}, "studies: 'digit' is not defined"),
        ("studies.digits.samplers", ["marko"], "studies.digits.samplers: 'marko' is not defined"),
        (
            "studies",
            {"digits_brief-seed1": {"samplers": ["marko"], "counts": [5]}},
            "studies.digits_brief-seed1.samplers: 'marko' is not defined",
        ),
        (
            "studies",
            {"digits-rounding_truncate": {"samplers": ["paper"], "counts": [5]}},
            "studies: 'digits-rounding_truncate' has no separate network; use 'digits'",
        ),
        ("experiments.digits.process", {"kind": "diffusion", "sigma": 0.1}, "experiments.digits.process.sigma"),
        ("experiments.digits.process", {"kind": "blurring"}, "experiments.digits.process.blur_sigma_max"),
        ("portable", ["digit"], "portable: 'digit' is not defined; known are"),
        ("diagnostics", ["digit"], "diagnostics: 'digit' is not defined; known are"),
        ("portable", ["digits_diffusion-sampler_ddim50"], "has no separate network; use 'digits_diffusion'"),
    ],
)
def test_mistakes_are_named(quick, path, value, message):
    assert message in mistakes(change(quick, path, value))


@pytest.mark.parametrize(
    ("wrong", "right"), [("evaluations", "evaluation"), ("experimentss", "experiments"), ("figure", "figures")]
)
def test_a_misspelt_key_is_named_alone_and_not_missing_too(quick, wrong, right):
    quick[wrong] = quick.pop(right)
    assert mistakes(quick) == f"configuration: {wrong}: no setting has this name; did you mean '{right}'?"


@pytest.mark.parametrize(
    ("place", "former", "present"),
    [
        ("", "probes", "diagnostics"),
        ("evaluation.", "probing", "diagnostics"),
        ("evaluation.", "num_memorisation_images", "num_memorization_images"),
        ("evaluation.", "num_neighbours", "num_neighbors"),
        ("networks.digits.", "blocks_per_level", "blocks_per_stage"),
        ("networks.digits.", "attention_levels", "attention_stages"),
        ("experiments.digits.run.", "evaluate_every", "validate_every"),
        ("experiments.digits.run.", "milestone_every", "snapshot_every"),
        ("experiments.digits.run.", "num_held_out", "num_validation_images"),
    ],
)
def test_former_names_of_settings_are_refused_with_the_present_one(quick, place, former, present):
    message = mistakes(change(quick, place + former, 3))
    assert f"{place}{former}: this setting is now called '{present}'" in message


def test_every_mistake_has_a_line_with_place_and_what_is_allowed(tmp_path, plain):
    """Keys and values first, each by itself."""
    change(plain, "datasets.digits.imagesize", 8)
    change(plain, "experiments.digits.process.sgima", plain["experiments"]["digits"]["process"].pop("sigma"))
    change(plain, "experiments.digits.training.steps", "1e4")
    del plain["experiments"]["digits"]["training"]["ema_decay"]
    change(plain, "experiments.photos.process.kind", "cold")
    change(plain, "experiments.photos.training.beauty", True)
    change(plain, "sweeps.delta_ratio.digits", [1, -0.5, 2, -1])
    change(plain, "evaluation.extractors.digits", "pac")
    change(plain, "samplers", {"fast": {"evaluations": "K/0"}})
    del plain["evaluation"]["num_samples"]
    plain["figures"] = None
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(plain))
    first, *lines = mistakes(path).splitlines()
    assert first == f"{path}: {len(lines)} mistakes"
    beginnings = [
        "datasets.digits.imagesize: no setting has this name; did you mean 'image_size'?",
        "experiments.digits.process.sgima: no setting has this name; did you mean 'sigma'?",
        "experiments.digits.training.steps: '1e4' is text where a number belongs",
        "experiments.digits.training.ema_decay: Field required",
        "experiments.photos.process.kind: there is no such process; known are heat, diffusion, blurring",
        "experiments.photos.training.beauty: no setting has this name; known are steps, batch_size, learning_rate, ",
        "samplers.fast.evaluations: 'K/0' is text where a number belongs, or: ",
        "sweeps.delta_ratio.digits.1: Input should be greater than or equal to 0, not -0.5",
        "sweeps.delta_ratio.digits.3: Input should be greater than or equal to 0, not -1",
        "evaluation.num_samples: Field required",
        "evaluation.extractors.digits: Input should be 'dct', 'pca', 'classifier', 'efficientnet' or 'inception', not "
        "'pac'",
        "figures: a block of settings belongs here, not nothing",
    ]
    assert len(lines) == len(beginnings)
    for beginning in beginnings:
        assert any(line.startswith(f"  {beginning}") for line in lines), beginning


def test_everything_that_does_not_fit_together_has_a_line(plain):
    change(plain, "datasets.unused", {"source": "digits", "image_size": 4, "image_channels": 1})
    change(plain, "experiments.digits.dataset", "unused")
    change(plain, "experiments.digits.sampler", "best")
    change(plain, "experiments.photos.network", "foto")
    change(plain, "sweeps.seed", {"foto": [1, 1]})
    change(plain, "figures.psd", ["digits-sigma0.05"])  # of an experiment that is wrong nothing more is said
    change(plain, "figures.psdd", ["digits"])
    assert mistakes(plain).splitlines() == [
        "configuration: 7 mistakes",
        "  experiments.digits: image_size is 4 in data set 'unused' but 8 in network 'digits'",
        "  evaluation.extractors: 'unused' is not defined; known are digits, photos",
        "  experiments.digits.sampler: 'best' is not defined; known are ancestral, ddim, paper",
        "  experiments.photos.network: 'foto' is not defined; known are digits, photos",
        "  sweeps.seed: 'foto' is not defined; known are digits, photos",
        "  sweeps.seed.foto: 1 is listed twice",
        f"  figures: 'psdd' is not defined; known are {', '.join(sorted(FIGURES))}",
    ]


def test_every_swept_value_that_does_not_fit_has_a_line(plain):
    change(plain, "sweeps.blur_sigma_max", {"digits": [0.1, 5, 0.2]})
    change(plain, "experiments.noise", {**plain["experiments"]["photos"], "process": {"kind": "diffusion"}})
    change(plain, "sweeps.sigma.noise", [0.1, 0.2])
    change(plain, "figures.psd", ["photos-sigma0.05"])
    assert mistakes(plain).splitlines() == [
        "configuration: 4 mistakes",
        "  sweeps.blur_sigma_max.digits: 0.1: blur_sigma_max 0.1 is below blur_sigma_min 0.3",
        "  sweeps.blur_sigma_max.digits: 0.2: blur_sigma_max 0.2 is below blur_sigma_min 0.3",
        "  sweeps.sigma.noise: process 'diffusion' has no sigma",
        "  figures.psd: 'photos-sigma0.05' is not defined; known are photos",
    ]


def test_a_file_of_another_kind_is_not_answered_at_length(tmp_path):
    (tmp_path / "config.yaml").write_text("\n".join(f"key{number}: 1" for number in range(10_000)))
    first, *lines = mistakes(tmp_path / "config.yaml").splitlines()
    assert first.endswith("config.yaml: more than 100 mistakes")
    assert lines[0] == "  results: Field required"
    assert len(lines) == 100


def test_yaml_merge_keys_work(tmp_path, quick):
    added = "\n  first: &first {source: digits, image_size: 8, image_channels: 1}\n  second: {<<: *first}\n"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(quick).replace("datasets:\n", f"datasets:{added}", 1))
    assert read_config(tmp_path / "config.yaml").datasets["second"].source == "digits"


def test_likelihood_needs_noise(plain):
    def bounded() -> set[str]:
        return {name for name, variant in parse_config(plain).variants.items() if variant.has_likelihood}

    plain["sweeps"]["prior_noise"] = {"digits": ["none"]}
    trained = {"digits", "digits-sigma0.02", "digits-levels_as_released", "photos"}
    assert bounded() == trained
    plain["sweeps"]["prior_noise"]["digits"].append("sigma")
    assert bounded() == trained | {"digits-prior_noise_sigma"}
    config = parse_config(plain)
    assert likelihood_settings(Run(config, "digits-prior_noise_sigma")).prior_noise == "sigma"
    assert likelihood_settings(Run(config, "digits")).prior_noise == "delta"
    plain["evaluation"]["prior_noise"] = "none"
    assert bounded() == {"digits-prior_noise_sigma"}
    with pytest.raises(ValueError, match="prior_noise"):
        likelihood_settings(Run(parse_config(plain), "digits"))
    plain["evaluation"].update(prior_noise="delta", delta_ratio=0)
    del plain["sweeps"]["delta_ratio"]["photos"]
    assert bounded() == {"digits", "digits-sigma0.02"}


def test_what_is_measured_of_an_experiment_is_measured_of_its_variants(quick):
    variants = parse_config(quick).variants
    assert variants["digits"].has_levels
    assert variants["digits"].has_disentanglement
    brief = [variant for variant in variants.values() if variant.base == "digits_brief"]
    assert len(brief) > 5
    assert not any(variant.has_levels or variant.has_likelihood for variant in brief)
    quick["experiments"]["digits_brief"]["measures"] = ["disentanglement"]
    brief = [variant for variant in parse_config(quick).variants.values() if variant.base == "digits_brief"]
    assert all(variant.has_disentanglement for variant in brief if variant.is_trained)
    assert not any(variant.has_levels for variant in brief)


def test_sweeps_give_named_experiments(plain):
    plain["sweeps"] = {"sigma": {"digits": [0.01, 0.020]}, "num_levels": {"photos": [20]}, "seed": {"digits": [0, 1]}}
    plain["figures"] = {}
    variants = parse_config(plain).variants
    assert list(variants) == ["digits", "digits-sigma0.02", "digits-seed1", "photos", "photos-num_levels20"]
    assert variants["digits-sigma0.02"].experiment.process.sigma == 0.02
    assert variants["digits-seed1"].experiment.seed == 1
    assert variants["photos-num_levels20"].experiment.process.num_levels == 20
    assert (variants["digits-seed1"].base, variants["digits-seed1"].swept) == ("digits", "seed")
    assert variants["digits"].swept is None


def with_initial_weights(quick: dict, **sources: str) -> dict:
    """Experiments like that of the digits, each starting from the weights of another."""
    for name, source in sources.items():
        quick["experiments"][name] = {**quick["experiments"]["digits"], "initial_weights": source}
    return quick


def test_training_starts_from_the_weights_of_another_experiment(quick):
    with_initial_weights(quick, second="digits", third="second")["sweeps"]["sigma"] = {"second": [0.05]}
    quick["figures"] = {}
    config = parse_config(quick)
    found = {name: config.initial_weights(name) for name in config.variants if config.initial_weights(name)}
    assert found == {"second": "digits", "second-sigma0.05": "digits", "third": "second"}
    # Whose weights they are is known by the rule's input, so that a network of the same settings is not made anew.
    assert config.variants["second"].experiment == config.variants["digits"].experiment


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {"second": "digit"},
            "experiments.second.initial_weights: 'digit' is not defined; known are digits, photos, second",
        ),
        ({"second": "second"}, "experiments.second.initial_weights: circular, second from second"),
        (
            {"second": "third", "third": "second"},
            "experiments.third.initial_weights: circular, second from third from second",
        ),
        (
            {"second": "photos"},
            "experiments.second.initial_weights: the networks must be equal, but image_size is 16 there and 8 here",
        ),
    ],
)
def test_wrong_initial_weights_are_named(plain, sources, message):
    assert message in mistakes(with_initial_weights(plain, **sources))


def test_delta_ratios_hold_the_default(plain):
    plain["sweeps"] |= {"delta_ratio": {"digits": [2, 0]}, "rounding": {"digits": ["truncate"]}}
    config = parse_config(plain)
    assert config.variants["digits"].delta_ratios == (0, 1.25, 2)
    assert config.variants["digits-sigma0.02"].delta_ratios == (0, 1.25, 2)
    assert config.variants["digits-rounding_truncate"].delta_ratios == (1.25,)
    assert likelihood_settings(Run(config, "digits")).delta_ratios == (1.25, 2)


def test_delta_is_no_part_of_an_experiment(quick):
    def experiments() -> dict[str, Experiment]:
        return {name: variant.experiment for name, variant in parse_config(quick).variants.items()}

    before = experiments()
    quick["sweeps"]["delta_ratio"]["digits"] = [0.5]
    assert experiments() == before
    assert "delta" not in json.dumps(Experiment.model_json_schema())


def test_paper_models_are_those_of_the_paper():
    """Section 2 of the specification: K, σ_B,max, σ and batch of the seven models."""
    variants = read_config(ROOT / "config.yaml").variants
    experiments = {name: variant.experiment for name, variant in variants.items()}
    expected = {
        "mnist": (100, 20, 128),
        "cifar10": (200, 24, 128),
        "afhq256": (200, 128, 32),
        "afhq64": (200, 32, 128),
        "ffhq256": (200, 128, 32),
        "ffhq128": (200, 128, 32),
        "lsun_church128": (400, 64, 32),
    }
    found = {
        name: (value.process.num_levels, value.process.blur_sigma_max, value.training.batch_size)
        for name, value in experiments.items()
        if "-" not in name and value.process.kind == "heat"
    }
    assert found == expected
    assert {getattr(experiment.process, "sigma", 0.01) for experiment in experiments.values()} == {0.01}


@given(st.floats(0, 1e6).map(lambda value: round(value, 6)))
def test_numbers_in_paths_are_unambiguous(value):
    text = format_number(value)
    assert float(text) == value
    assert "e" not in text
    assert not text.endswith(".")
    assert text == format_number(float(text))


def test_a_tilde_is_the_home_folder_wherever_a_path_is(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    quick.update(results="~/results", data={"root": "~"})
    quick["evaluation"]["inception_weights"] = "~/weights/"
    quick["datasets"]["mine"] = {"source": "folder", "path": "~/pictures", "image_size": 16, "image_channels": 3}
    config = parse_config(quick)
    assert config.results == f"{tmp_path}/results"
    assert config.data.root == str(tmp_path)
    assert config.inception_weights == f"{tmp_path}/weights"
    assert config.datasets["mine"].path == f"{tmp_path}/pictures"
    check_sources(config)  # it is found there
    del quick["evaluation"]["inception_weights"]
    assert parse_config(quick).inception_weights == f"{tmp_path}/inception"
    quick["results"] = "a~b/~"
    assert parse_config(quick).results == "a~b/~"
    quick["results"] = "~nobody_of_this_name/results"
    assert "results: the home folder does not exist; use ~, ~USER of an existing user, or a full path, not" in mistakes(
        quick
    )


def test_numbers_of_images_are_for_all_data_sets_or_for_each(plain):
    def found() -> dict[str, tuple[int, int, int]]:
        config = parse_config(plain)
        return {
            name: (
                error_settings(Run(config, name)).num_images,
                joint_settings(Run(config, name)).num_images,
                memorization_settings(Run(config, name)).num_images,
            )
            for name in ("digits", "digits-sigma0.02", "photos")
        }

    evaluation = plain["evaluation"]
    evaluation |= {"num_samples": 400, "num_likelihood_images": 200}
    assert found() == {"digits": (200,) * 3, "digits-sigma0.02": (200,) * 3, "photos": (200,) * 3}
    evaluation["num_likelihood_images"] = {"digits": 500, "photos": 1000}
    # Samples are no more than there are.
    assert found() == {"digits": (500, 500, 400), "digits-sigma0.02": (500, 500, 400), "photos": (1000, 1000, 400)}
    assert parse_config(plain).needed_images("photos") == {"train": 0, "test": 1000}
    evaluation["num_memorization_images"] = 400
    assert found()["digits"] == (500, 500, 400)
    evaluation["num_memorization_images"] = {"digits": 300, "photos": 20}
    assert (found()["digits-sigma0.02"], found()["photos"]) == ((500, 500, 300), (1000, 1000, 20))
    # A data set that no experiment is of needs none.
    plain["datasets"]["unused"] = plain["datasets"]["photos"]
    assert parse_config(plain).needed_images("unused") == {"train": 0, "test": 0}


def test_images_at_a_time_are_one_number_for_all_data_sets_or_one_for_each(plain):
    def found(name: str) -> set[int]:
        config = parse_config(plain)
        settings = (
            config.sampling(name),
            error_settings(Run(config, name)),
            config.calibration(name),
            joint_settings(Run(config, name)),
        )
        return {chosen.micro_batch for chosen in (*settings, config.sampling_diagnostics(name).sampling)}

    plain["evaluation"]["micro_batch"] = 7
    assert found("digits-sigma0.02") == found("photos") == {7}
    plain["evaluation"]["micro_batch"] = {"digits": 50, "photos": 8}
    assert (found("digits"), found("digits-sigma0.02"), found("photos")) == ({50}, {50}, {8})
    plain["evaluation"]["micro_batch"] = {"digits": 50}
    assert "evaluation.micro_batch: 'photos' is not defined; known are digits" in mistakes(plain)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"num_likelihood_images": {"digits": 1, "Photos": 2}},
            [
                "evaluation.num_likelihood_images.digits: Input should be greater than or equal to 2, not 1",
                "evaluation.num_likelihood_images.Photos: a name is lower-case letters, digits and "
                "underscores with a letter first, not 'Photos'",
            ],
        ),
        (
            {"num_likelihood_images": 1, "num_memorization_images": "all"},
            [
                "evaluation.num_likelihood_images: Input should be greater than or equal to 2, not 1",
                "evaluation.num_memorization_images: 'all' is text where a number belongs",
            ],
        ),
        (
            {"num_likelihood_images": {"digits": 5}, "num_memorization_images": {"photos": 5, "digits": 5, "fotos": 6}},
            [
                "evaluation.num_likelihood_images: 'photos' is not defined; known are digits",
                "evaluation.num_memorization_images: 'fotos' is not defined; known are digits, photos",
            ],
        ),
        (
            {"num_memorization_images": {"photos": 5, "digits": 501}},
            ["evaluation: num_memorization_images needs num_samples of 501 or more, not 400"],
        ),
    ],
)
def test_wrong_numbers_of_images_are_named(plain, changes, lines):
    plain["evaluation"] |= {"num_samples": 400, **changes}
    if len(lines) == 1:
        assert mistakes(plain) == f"configuration: {lines[0]}"
    else:
        assert mistakes(plain).splitlines() == [
            f"configuration: {len(lines)} mistakes",
            *(f"  {line}" for line in lines),
        ]


@pytest.mark.parametrize(
    ("num_images", "num_neighbors", "message"),
    [
        (2, 1, "evaluation.num_samples: Input should be greater than or equal to 3, not 2"),
        (3, 3, "evaluation: num_neighbors needs num_samples of 4 or more, not 3"),
        (3, 2, None),
        (3, 1, None),
        (6, 5, None),
    ],
)
def test_as_few_images_as_are_allowed_can_be_compared(plain, num_images, num_neighbors, message):
    """No fewer: two leave one for an error, of which there is no covariance, and k neighbours are k others."""
    plain["evaluation"].update(num_samples=num_images, num_neighbors=num_neighbors)
    rng = np.random.default_rng(0)
    reference, features = rng.normal(size=(40, 2)), rng.normal(size=(num_images, 2))
    settings = DistanceSettings.model_construct(
        num_images=(num_images,), num_resamples=20, num_neighbors=num_neighbors, extrapolate=False, seed=0
    )

    def compare() -> dict[str, Estimate]:
        return measure_distances(features, reference, Moments.of(reference), settings)

    if message is None:
        assert distance_settings(Run(parse_config(plain), "digits")).num_images == (num_images,)
        assert {"frechet_distance", "precision", "coverage"} <= compare().keys()
    else:
        assert message in mistakes(plain)
        with pytest.raises(UserError, match=r"are needed|need 4 images or more"):
            compare()


def test_settings_cannot_change():
    config = read_config(CONFIGS[0])
    with pytest.raises(ValueError, match="frozen"):
        config.results = "elsewhere"
    assert isinstance(config, Config)


def test_a_sampler_trains_nothing_and_is_sampled_once(quick):
    quick["sweeps"] = {"delta_ratio": {"digits": [1, 1.5]}, "sampler": {"digits": ["markov", "ddim"]}}
    quick["figures"], quick["diagnostics"] = {}, []
    variants = parse_config(quick).variants
    varied = variants["digits-sampler_markov"]
    assert (varied.model, varied.is_trained, varied.swept) == ("digits", False, "sampler")
    assert varied.delta_ratios == (0.0,)  # it has no δ
    assert variants["digits"].delta_ratios == (1.0, 1.25, 1.5)
    assert not varied.has_likelihood
    assert (varied.is_calibrated, variants["digits-sampler_ddim"].is_calibrated) == (True, False)
    # Neither process nor sampler of the baseline has a δ.
    assert variants["digits_diffusion"].delta_ratios == (0.0,)


def test_every_kind_of_process_has_a_sampler_of_its_own(quick):
    for experiment in quick["experiments"].values():
        experiment.pop("sampler", None)
    variants = parse_config(quick).variants
    assert {variants[name].sampler for name in ("digits", "photos")} == {"paper"}
    assert {variants[name].sampler for name in ("digits_diffusion", "digits_blurring")} == {"ancestral"}


def test_a_network_is_measured_wherever_it_is_needed(quick):
    """At the levels of bounds, and at those that samplers visit."""
    quick["evaluation"]["max_levels"] = 4
    quick["sweeps"]["sampler"]["digits"] = ["markov"]
    config = parse_config(quick)
    assert error_settings(Run(config, "digits")).max_levels is None  # the paper's bound is a sum over all levels
    assert error_settings(Run(config, "digits_blurring")).max_levels == 4
    assert config.calibration("digits").levels == tuple(range(1, 41))  # markov visits all
    assert (
        config.calibration("digits_blurring").levels
        == joint_settings(Run(config, "digits_blurring")).levels
        == (250, 500, 750, 1000)
    )
    visited = {40, 36, 32, 28, 24, 20, 16, 12, 8, 4}
    del quick["sweeps"]["sampler"]["digits"]
    quick["studies"] = {"digits": {"samplers": ["paper"], "counts": [10]}}
    quick["figures"]["evaluations"] = ["digits"]
    assert set(parse_config(quick).calibration("digits").levels) == visited | {10, 20, 30, 40}


def test_a_variant_with_its_own_network_has_a_study_of_its_own(quick):
    quick["studies"] = {"digits_brief-seed1": {"samplers": ["paper"], "counts": [10]}}
    quick["figures"]["evaluations"] = ["digits_brief-seed1"]
    config = parse_config(quick)
    (run,) = find("evaluations").runs(config)
    assert run.fill("metrics/evaluations/{experiment}.csv") == "metrics/evaluations/digits_brief-seed1.csv"
    assert run.variant.model == "digits_brief-seed1"
    assert study_settings(run).sampling.seed == 1
    visited = {*with_evaluations(PAPER, 10).levels(run.variant.experiment.process)} - {0}
    assert visited <= {*config.calibration("digits_brief-seed1").levels}


def test_the_seeds_scale_trains_what_the_quick_scale_trains_with_three_seeds():
    quick, seeds = (read_config(ROOT / f"workflow/config/{scale}.yaml") for scale in ("quick", "seeds"))
    for name in seeds.experiments:
        trained = [variant.experiment for variant in seeds.variants.values() if variant.base == name]
        assert [one.seed for one in trained] == [0, 1, 2]
        same = quick.variants[name.removesuffix("_clipped")].experiment
        process = seeds.experiments[name].process
        if name.endswith("_clipped"):
            assert process == DiffusionSettings(kind="diffusion", schedule="clipped_cosine")
            same = same.model_copy(update={"process": process})
        else:
            assert seeds.sampling(name) == quick.sampling(name)
        assert {one.model_copy(update={"seed": 0}) for one in trained} == {same}
    for name in seeds.studies:
        study = quick.studies.get(name.partition("-")[0])
        assert study is None or seeds.studies[name].counts == study.counts
    assert {*seeds.studies} == {*seeds.variants}
