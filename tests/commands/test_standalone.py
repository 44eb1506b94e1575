"""Commands without a workflow, as someone with a folder of pictures would use them."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ihdm.config.settings import DatasetSettings
from ihdm.errors import UserError
from ihdm.portable.folder import read, require_room
from ihdm.portable.own import version_of
from ihdm.portable.pictures import draw, frames, with_sampler
from ihdm.portable.scheduler import IHDMScheduler
from ihdm.storage.files import atomic_folder, sha256


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Thirty pictures of two colors."""
    folder: Path = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(30):
        pixels = np.full((40, 50, 3), rng.integers(0, 256, 3), dtype=np.uint8)
        pixels[: rng.integers(5, 35)] = rng.integers(0, 256, 3)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


NOISE = '{"kind": "noise"}'
SECOND = '{"coupling": "deterministic", "noise": "none", "order": 2}'
OPTIONS = ["--preset", "quick", "--image-size", "8", "--steps", "3"]


@pytest.fixture(scope="session")
def model(tmp_path_factory, pictures, ihdm) -> Path:
    """A model that `ihdm train` made, which no test may change."""
    folder: Path = tmp_path_factory.mktemp("mine") / "model"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        ihdm("train", pictures, "-o", folder, *OPTIONS)
    assert f"{folder} is written" in printed.getvalue()
    return folder


@pytest.fixture
def brief(monkeypatch) -> None:
    """Sheets of four samples, and mixtures of one or two components, which take less time."""
    monkeypatch.setattr("ihdm.portable.export.draw", lambda pipeline, _, seed, **more: draw(pipeline, 4, seed, **more))
    monkeypatch.setattr("ihdm.portable.prior.COMPONENTS", (1, 2))


def test_training_goes_from_pictures_to_a_folder_with_card_and_sheet(model):
    files = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    assert files == {
        *("README.md", "model_index.json", "samples.png", "scheduler/scheduler_config.json"),
        *(f"{part}/config.json" for part in ("unet", "prior", "calibration")),
        *(f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "prior", "calibration")),
    }
    card = (model / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: diffusers\n")
    for said in ("# model", "8×8 pixels", "K = 40", "a folder of images given by the user", "the user's affair", "27"):
        assert said in card
    with Image.open(model / "samples.png") as sheet:
        assert sheet.size == (4 * (8 * 9 + 1),) * 2


def test_three_lines_load_it_anywhere(model, tmp_path):
    """In a fresh process and folder, outside the repository; nothing of what it was made from is there."""
    moved = tmp_path / "elsewhere/model"
    moved.parent.mkdir()
    moved.symlink_to(model)
    lines = (
        "from ihdm import IHDMPipeline",
        f"pipe = IHDMPipeline.from_pretrained({str(moved)!r})",
        "images = pipe(batch_size=3, evaluations=20).images",
        "print(len(images), images[0].size)",
    )
    finished = subprocess.run([sys.executable, "-c", "; ".join(lines)], capture_output=True, text=True, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["3", "(8,", "8)"]


@pytest.mark.pipeline
def test_training_resumes_to_the_same_bytes(model, pictures, tmp_path, ihdm, brief):
    mine = Path(shutil.copytree(pictures, tmp_path / "mine"))
    ihdm("train", mine, "-o", tmp_path / "model", *OPTIONS[:-1], 2)
    first = sha256(tmp_path / "model/unet/diffusion_pytorch_model.safetensors")
    measured = sha256(tmp_path / "model/calibration/diffusion_pytorch_model.safetensors")
    prepared = (tmp_path / "model.work/data/train.npy").stat().st_mtime_ns
    ihdm("train", mine, "-o", tmp_path / "model", *OPTIONS)
    weights = tmp_path / "model/unet/diffusion_pytorch_model.safetensors"
    assert first != sha256(weights) == sha256(model / "unet/diffusion_pytorch_model.safetensors")
    assert (tmp_path / "model.work/data/train.npy").stat().st_mtime_ns == prepared
    # The network is another, and so is what was measured of it.
    assert measured != sha256(tmp_path / "model/calibration/diffusion_pytorch_model.safetensors")
    record = json.loads((tmp_path / "model.work/network/calibration.meta.json").read_text())
    assert sha256(weights) in record["inputs"].values()
    changed = weights.stat().st_mtime_ns
    trained, calibrated = (
        (tmp_path / "model.work/network" / name).stat().st_mtime_ns for name in ("history.csv", "calibration.npz")
    )
    ihdm("train", mine, "-o", tmp_path / "model", *OPTIONS)
    assert (tmp_path / "model.work/network/calibration.npz").stat().st_mtime_ns == calibrated
    assert (tmp_path / "model.work/network/history.csv").stat().st_mtime_ns == trained
    assert weights.stat().st_mtime_ns != changed  # the folder is written anew, from what is there
    # One more picture makes another data set, and so another training.
    (mine / "more.png").write_bytes((mine / "00.png").read_bytes())
    ihdm("train", mine, "-o", tmp_path / "model", *OPTIONS[:-1], 1)
    assert json.loads((tmp_path / "model.work/data/train.json").read_text())["shape"][0] == 28


def test_of_several_processes_one_writes_the_model(model, pictures, tmp_path, ihdm, monkeypatch):
    """In the others training leaves nothing, and so they could not go on."""
    monkeypatch.setattr("ihdm.commands.models.train", lambda *_arguments, **_options: None)
    monkeypatch.setattr("ihdm.devices.processes", lambda: SimpleNamespace(is_main_process=False))
    ihdm("train", pictures, "-o", tmp_path / "model", *OPTIONS)
    assert not (tmp_path / "model").exists()


def test_changed_or_missing_images_are_noticed(pictures, tmp_path):
    mine = Path(shutil.copytree(pictures, tmp_path / "mine"))
    dataset = DatasetSettings(source="folder", path=str(mine), image_size=8, image_channels=3)
    before = version_of(dataset, mine)
    assert version_of(dataset, mine) == before
    (mine / "00.png").rename(mine / "other")
    (mine / "01.png").rename(mine / "00.png")
    (mine / "other").rename(mine / "01.png")
    swapped = version_of(dataset, mine)
    (mine / "29.png").unlink()
    gone = version_of(dataset, mine)
    shutil.copy2(pictures / "00.png", mine / "29.png")  # with its own time, older than all that was made
    assert len({before, swapped, gone, version_of(dataset, mine)}) == 4


def test_too_few_images_for_a_mixture_are_reported_before_training(pictures, tmp_path, ihdm_fails):
    said = ihdm_fails("train", pictures, "-o", tmp_path / "model", *OPTIONS, "--prior", "mixture")
    assert "27 training images are too few for a mixture" in said
    assert not (tmp_path / "model.work/network").exists()


def test_only_folders_with_nothing_but_a_model_are_replaced(model, tmp_path):
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    require_room(copy)
    (copy / ".snakemake_timestamp").touch()  # of a rule that wrote it
    require_room(copy)
    for mine in ("notes.txt", "unet/notes.txt", "unet/more/config.json"):
        (copy / mine).parent.mkdir(exist_ok=True)
        (copy / mine).touch()
        with pytest.raises(UserError, match=f"contains other files .{mine}"):
            require_room(copy)
        (copy / mine).unlink()
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps({**index, "_class_name": "DDPMPipeline"}))
    with pytest.raises(UserError, match="contains other files"):
        require_room(copy)


def test_a_folder_is_never_lost_when_another_takes_its_place(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/file").write_text("old")
    replace, asked = os.replace, []

    def interrupted(source, target):
        asked.append(target)
        if len(asked) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "model") as filled:
        (filled / "file").write_text("new")
    assert len(asked) == 3
    assert (tmp_path / "model/file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_current_folder_is_not_replaced(model, pictures, tmp_path, monkeypatch, ihdm_fails):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for command in (("train", pictures), ("sample", model), ("restore", model, pictures, "--problem", NOISE)):
        assert "is the current folder" in ihdm_fails(*command, "-o", ".")
    assert Path.cwd().exists()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_outputs_are_checked_before_the_work(model, pictures, tmp_path, ihdm_fails):
    (tmp_path / "file").touch()
    sheet, table = tmp_path / "file/sheet.png", tmp_path / "file/table.csv"
    for command in (
        ("sample", model, "-o", sheet),
        ("sample", model, "-o", sheet.with_suffix(".gif")),
        ("sample", model, "-o", sheet.with_suffix("")),
        ("interpolate", model, "-o", sheet),
        ("evaluate", model, "--data", tmp_path / "gone", "-o", table),
        ("restore", model, tmp_path / "gone", "--problem", NOISE, "-o", sheet),
        ("train", tmp_path / "gone", "-o", tmp_path / "file/model"),
    ):
        assert "no file can be created in" in ihdm_fails(*command), command


def test_numbers_out_of_bounds_name_their_option(pictures, tmp_path, ihdm_fails):
    for option, value in (("--image-size", 5000), ("--crops", 10**12), ("--steps", 10**12)):
        assert f"{option} {value}: Input should be less" in ihdm_fails(
            "train", pictures, "-o", tmp_path / "model", option, value
        )


def test_broken_pictures_are_left_out_by_an_option(model, pictures, tmp_path, ihdm, ihdm_fails):
    mine = Path(shutil.copytree(pictures, tmp_path / "mine"))
    (mine / "broken.png").write_text("nothing")
    compared = ("evaluate", model, "--data", mine, "-n", 6, "--extractor", "dct", "--evaluations", 4)
    said = "broken.png (not an image, or of an unknown format); fix or remove them, or leave them out: --skip-broken"
    for command in (compared, ("train", mine, "-o", tmp_path / "model", *OPTIONS)):
        assert said in ihdm_fails(*command)
    ihdm(*compared, "--skip-broken", "-o", tmp_path / "table.csv")
    assert set(pd.read_csv(tmp_path / "table.csv")["n_reference"]) == {30}


def test_a_network_without_training_images_explains_how_to_export_it(model, tmp_path, ihdm_fails):
    """As `ihdm convert` makes them."""
    network = Path(shutil.copytree(model.with_name("model.work") / "network", tmp_path / "network"))
    record = json.loads((network / "model.meta.json").read_text())
    record["inputs"] = {}
    (network / "model.meta.json").write_text(json.dumps(record))
    said = ihdm_fails("sample", network, "-o", tmp_path / "sheet.png")
    assert "the record has no training images; export the network once" in said
    assert f"python -m ihdm models export --model {network} --train" in said


def test_an_exported_network_has_the_name_that_was_asked_for(model, tmp_path, ihdm, brief):
    network = model.with_name("model.work") / "network"
    ihdm("models", "export", "--model", network, "--output", tmp_path / "folder", "--name", "tiles", "--num-shown", 4)
    assert json.loads((tmp_path / "folder/unet/config.json").read_text())["_name_or_path"] == "tiles"
    assert "# tiles" in (tmp_path / "folder/README.md").read_text()


def test_batches_change_no_animation(model):
    pipeline = read(model)
    whole, parts = (np.stack([*frames(pipeline, 5, 3, 4, batch_size=size)]).astype(int) for size in (5, 2))
    assert whole.shape == parts.shape == (5, 5, 8, 8, 3)
    assert np.abs(whole - parts).max() <= 1


def test_samplers_by_name_leave_evaluations_as_they_are(model):
    pipeline = read(model)
    pipeline.scheduler = IHDMScheduler.from_config(dict(pipeline.scheduler.config), evaluations=8)
    found = with_sampler(pipeline, "markov", None).scheduler.sampler
    assert (found.noise, found.evaluations) == ("measured", 8)


def test_mixtures_and_crops_are_made_from_few_large_pictures(pictures, tmp_path, ihdm, brief):
    ihdm("train", pictures, "-o", tmp_path / "model", *OPTIONS, "--crops", 2, "--prior", "mixture", "--gray")
    pipeline = read(tmp_path / "model")
    assert type(pipeline.prior).__name__ == "MixturePrior"
    assert pipeline.image_shape == (1, 8, 8)
    assert "Gaussian mixture of" in (tmp_path / "model/README.md").read_text()
    assert json.loads((tmp_path / "model.work/data/train.json").read_text())["shape"] == [54, 8, 8, 1]


def test_samples_come_as_sheet_folder_and_animation(model, tmp_path, ihdm):
    ihdm("sample", model, "-n", 5, "-o", tmp_path / "sheet.png", "--seed", 4)
    ihdm("sample", model, "-n", 5, "-o", tmp_path / "folder", "--seed", 4, "--batch-size", 2)
    ihdm("sample", model, "-n", 4, "-o", tmp_path / "way.gif", "--evaluations", 8)
    ihdm("sample", model, "-n", 4, "-o", tmp_path / "way.webp", "--evaluations", 8)
    names = sorted(path.name for path in (tmp_path / "folder").iterdir())
    assert names == [f"{number}.png" for number in range(5)]
    expected = draw(read(model), 5, 4)
    for number, name in enumerate(names):
        with Image.open(tmp_path / "folder" / name) as picture:
            found = np.asarray(picture).astype(int)
        assert np.abs(found - expected[number]).max() <= 1
    with Image.open(tmp_path / "sheet.png") as sheet:
        scale = sheet.width // (3 * 9 + 1)
        first = np.asarray(sheet)[scale * 1 : scale * 9 : scale, scale * 1 : scale * 9 : scale]
    np.testing.assert_array_equal(first, expected[0])
    for ending in ("gif", "webp"):
        with Image.open(tmp_path / f"way.{ending}") as film:
            assert film.n_frames == 9


@pytest.mark.parametrize("sampler", ["paper", "ancestral", "ddim", "independent", "markov", '{"noise": "none"}'])
def test_every_sampler_can_be_asked_for(model, tmp_path, ihdm, sampler):
    ihdm("sample", model, "-n", 2, "-o", tmp_path / "sheet.png", "--sampler", sampler, "--evaluations", 4)
    assert (tmp_path / "sheet.png").exists()


def test_interpolations_are_in_rows(model, tmp_path, ihdm):
    ihdm("interpolate", model, "-o", tmp_path / "paths.png", "--rows", 2, "--num-positions", 5, "--seed", 1)
    ends = draw(read(model), 4, 1).astype(int)
    with Image.open(tmp_path / "paths.png") as sheet:
        pixels = np.asarray(sheet).astype(int)
    scale = pixels.shape[1] // (5 * 9 + 1)
    assert pixels.shape[:2] == (scale * (2 * 9 + 1), scale * (5 * 9 + 1))
    for row in range(2):
        for column, number in ((0, 2 * row), (4, 2 * row + 1)):
            top, left = (scale * (1 + 9 * place) for place in (row, column))
            found = pixels[top : top + 8 * scale : scale, left : left + 8 * scale : scale]
            assert np.abs(found - ends[number]).max() <= 1


def test_a_model_is_measured_against_pictures(model, pictures, tmp_path, ihdm, capsys):
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    ihdm(
        "evaluate", copy, "--data", pictures, "-n", 20, "--extractor", "dct", "--evaluations", 8,
        "-o", tmp_path / "table.csv", "--card",
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "table.csv")
    assert {"metric", "value", "low", "high", "extractor", "n", "n_reference", "reference", "delta_ratio"} <= {*table}
    assert {"frechet_distance", "kernel_distance", "precision", "recall"} <= {*table["metric"]}
    assert set(table["n"]) == {20}
    assert set(table["n_reference"]) == {30}
    (distance,) = table.loc[table["metric"] == "frechet_distance", "value"]
    printed = capsys.readouterr().out
    card = (copy / "README.md").read_text()
    assert f"| Fréchet distance | {distance:.4g} |" in printed
    assert f"| Fréchet distance | {distance:.4g} |" in card
    for text in (printed, card):
        assert "fewer than 3840 images is larger than most differences" in text
    assert "Nothing was measured" not in card
    assert "## Configuration" in card
    assert "FID" not in card
    ihdm("evaluate", copy, "--data", pictures, "-n", 20, "--extractor", "dct", "--evaluations", 4, "--card")
    assert (copy / "README.md").read_text().count("| Fréchet distance |") == 1


@pytest.mark.parametrize(
    "problem",
    ['{"kind": "blur", "width": 1}', '{"kind": "pooling", "factor": 2}', '{"kind": "mask", "hidden": 0.3}', NOISE],
)
def test_pictures_are_measured_and_restored(model, pictures, tmp_path, ihdm, problem):
    ihdm(
        "restore", model, pictures, "--problem", problem, "-n", 3, "--num-draws", 2, "--evaluations", 8,
        "-o", tmp_path / "sheet.png",
    )  # fmt: skip
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet)
    scale = pixels.shape[1] // (5 * 9 + 1)
    assert pixels.shape == (scale * (3 * 9 + 1), scale * (5 * 9 + 1), 3)
    truth = pixels[scale : 9 * scale : scale, scale : 9 * scale : scale]
    with Image.open(pictures / "00.png") as picture:
        colors = np.unique(np.asarray(picture).reshape(-1, 3), axis=0)
    assert np.abs(truth[0, 0].astype(int) - colors).max(axis=1).min() < 8


def test_measured_pictures_are_restored_to_a_folder(model, pictures, tmp_path, ihdm):
    """Small ones, which come back at the model's size and agree with the measurement; the same again from the seed."""
    small = tmp_path / "small"
    small.mkdir()
    for name in ("00.png", "01.png"):
        with Image.open(pictures / name) as picture:
            picture.crop((0, 0, 40, 40)).resize((4, 4), Image.Resampling.BOX).save(small / name)
    for folder in ("first", "second"):
        ihdm(
            "restore", model, small, "--problem", '{"kind": "pooling", "factor": 2}', "--measured", "--evaluations", 20,
            "-o", tmp_path / folder, "--trust", 10,
        )  # fmt: skip
    files = sorted(path.relative_to(tmp_path / "first").as_posix() for path in (tmp_path / "first").rglob("*.png"))
    assert files == ["mean/00.png", "mean/01.png", "sample/00.png", "sample/01.png"]
    for name in files:
        assert sha256(tmp_path / "first" / name) == sha256(tmp_path / "second" / name)
    with Image.open(tmp_path / "first/mean/00.png") as restored, Image.open(small / "00.png") as measured:
        assert restored.size == (8, 8)
        means = np.asarray(restored).astype(float).reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
        assert np.abs(means - np.asarray(measured)).mean() < 10


def test_impossible_requests_are_reported_in_one_line(model, pictures, tmp_path, ihdm_fails):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/file").write_text("mine")
    sheet, taken, gone, out = (tmp_path / name for name in ("sheet.png", "taken", "gone", "model"))
    pooled, masked = '{"kind": "pooling", "factor": 3}', '{"kind": "mask", "hidden": 0.5}'
    second = "the sampler has order 2, which needs estimates of the clean image, but prediction 'residual'"
    for arguments, said in (
        (("sample", tmp_path, "-o", sheet), "has no model_index.json"),
        (("sample", model, "-o", taken), "already exists and is not empty"),
        (("sample", model, "-o", tmp_path / "sheet.tiff"), "unknown file extension"),
        (("sample", model, "-o", sheet, "--sampler", "best"), "use one of paper, ancestral"),
        (("sample", model, "-o", sheet, "--sampler", '{"noise": "loud"}'), "noise"),
        (("sample", model, "-o", sheet, "--sampler", SECOND), second),
        (("sample", model, "-o", sheet, "--precision", "fp8"), "use one of no, fp16, bf16"),
        (("sample", model, "-o", sheet, "--evaluations", 41), "use 1 to 40"),
        (("sample", model, "-o", sheet, "--sampler", "{"), "--sampler: Invalid JSON"),
        (("sample", model, "-o", sheet, "--delta-ratio", "inf"), "--delta-ratio inf: give a finite number"),
        (("interpolate", model, "-o", tmp_path / "paths.gif"), "ends in .png"),
        (("evaluate", model, "--data", gone), "neither a folder nor a .npy file"),
        (("evaluate", model, "--data", pictures / "00.png"), "neither a folder nor a .npy file"),
        (("evaluate", model, "--data", pictures, "-n", 10**9), "has 30 images, but --extractor pca needs at least 64"),
        (("evaluate", model, "--data", pictures, "--extractor", "vgg"), "use one of dct, pca"),
        (("train", gone, "-o", out), "folder not found"),
        (("train", pictures, "-o", out, "--preset", "huge"), "use one of quick, small"),
        (("train", pictures, "-o", taken), "contains other files"),
        (("train", pictures, "-o", pictures / "model"), "choose an --output outside it"),
        (("train", pictures, "-o", pictures), "choose an --output outside it"),
        (("train", pictures, "-o", out, "--prior", "nothing"), "use coefficients or mixture"),
        (("train", pictures, "-o", out, "--preset", "quick", "--image-size", 9), "cannot be halved"),
        (("train", taken, "-o", out), "has 0 image files"),
        (("restore", model, gone, "-o", sheet, "--problem", NOISE), "no images found"),
        (("restore", model, pictures, "-o", sheet, "--problem", pooled), "does not divide 8"),
        (("restore", model, pictures, "-o", pictures / "00.png", "--problem", NOISE), "choose an --output outside"),
        (
            ("restore", model, pictures, "-o", sheet, "--problem", '{"kind": "fog"}'),
            "--problem: problem.kind: there is no such kind",
        ),
        (("restore", model, pictures, "-o", sheet, "--problem", "fog"), "--problem fog: is no JSON object"),
        (
            ("restore", model, pictures, "-o", sheet, "--problem", masked, "--measured"),
            "masked pixels cannot be detected",
        ),
    ):
        assert said in ihdm_fails(*arguments), arguments
    assert not out.exists()
    assert (taken / "file").read_text() == "mine"


def test_damaged_models_are_reported_in_one_line(model, tmp_path, ihdm_fails):
    for name, content in (
        ("model_index.json", b"{"),
        ("unet/diffusion_pytorch_model.safetensors", b"nothing"),
        ("prior/config.json", b"{}"),
        ("scheduler/scheduler_config.json", b'{"process": {"kind": "heat"}}'),
    ):
        copy = Path(shutil.copytree(model, tmp_path / name.replace("/", "_")))
        (copy / name).write_bytes(content)
        assert str(copy) in ihdm_fails("sample", copy, "-o", tmp_path / "sheet.png"), name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell, tmp_path):
    environment = {**os.environ, "_IHDM_COMPLETE": f"source_{shell}", "HOME": str(tmp_path)}
    command = Path(sys.executable).with_name("ihdm")
    finished = subprocess.run([command], capture_output=True, text=True, env=environment)
    assert "ihdm" in finished.stdout
    assert finished.returncode == 0
    completing = {**environment, "_IHDM_COMPLETE": f"complete_{shell}", "COMP_WORDS": "ihdm inter", "COMP_CWORD": "1"}
    completing |= {"_TYPER_COMPLETE_ARGS": "ihdm inter", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    completed = subprocess.run([command], capture_output=True, text=True, env=completing)
    assert "interpolate" in completed.stdout
