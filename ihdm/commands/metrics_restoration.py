"""Stage ``metrics``, its part on restoration: pictures from measurements of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ihdm.commands.options import (
    ExtractorOption,
    InceptionOption,
    SettingsOption,
    TestOption,
    TrainOption,
    read_settings,
)
from ihdm.commands.sampling import ModelOption
from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.config.restoration import RestorationStudy

app = typer.Typer()


@app.command()
def restoration(
    settings: SettingsOption,
    model: ModelOption,
    train: TrainOption,
    test: TestOption,
    extractor: ExtractorOption,
    pictures: Annotated[Path, typer.Option(help="Path of some of the pictures, .npz.")],
    output: OutputOption,
    inception: InceptionOption = Path("data/inception"),
    label: LabelOption = None,
) -> None:
    """Measure test images, restore them by every method, each tuned on others, and score what comes out."""
    import numpy as np

    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.devices import compute_device, device_name
    from ihdm.errors import UserError
    from ihdm.metrics.extractors import load_extractor
    from ihdm.models.network import CONFIG_NAME, WEIGHTS_NAME, load_network
    from ihdm.processes import build_process
    from ihdm.progress import Progress
    from ihdm.restoration.conditioning import prior_moments
    from ihdm.restoration.solvers import Restorer, from_cpu
    from ihdm.restoration.study import num_methods, study
    from ihdm.storage.files import atomic_path
    from ihdm.storage.provenance import record
    from ihdm.storage.reading import first_images, open_images, require_one_shape
    from ihdm.storage.tensors import to_tensor

    chosen, device = read_settings(RestorationStudy, settings), compute_device()
    seen, unseen = first_images(train, chosen.num_train), open_images(test)
    require_one_shape({str(train): seen, str(test): unseen})
    if len(unseen) < (needed := chosen.num_images + chosen.num_validation):
        raise UserError(f"{test}: {needed} images are asked for, to score and to tune on, but it holds {len(unseen)}")
    with record(
        [output, pictures],
        command="metrics restoration",
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, model / CALIBRATION_NAME, train, test, extractor],
        settings=chosen,
        seed=chosen.seed,
        device=device_name(device),
    ):
        transform, _ = load_extractor(extractor, unseen[:1], inception=inception)
        mean, power = prior_moments(to_tensor(seen[: chosen.num_moments]))
        restorer = Restorer(
            from_cpu(load_network(model, chosen.process, seen, device, chosen.compute), device),
            build_process(chosen.process, seen.shape[1]),
            Calibration.read(model / CALIBRATION_NAME, chosen.process),
            mean,
            power,
            chosen.sampler,
            chosen.seed,
        )
        rows: list[dict[str, object]] = []
        arrays: dict[str, Any] = {}
        total = num_methods(restorer, chosen, seen.shape[1])
        with Progress(f"restoring {output.stem}", total, unit="methods") as progress:
            progress.update(0)
            for found in study(restorer, unseen, chosen, transform, progress.update):
                rows += [
                    {"problem": found.problem, "method": found.method, "parameter": found.parameter, **row}
                    for row in found.rows
                ]
                for name, part in found.pictures.items():
                    arrays[f"{found.problem}/{found.method}/{name}"] = part.astype(np.float32)
        with atomic_path(pictures) as temporary:
            np.savez(temporary, **arrays)
        write_rows(rows, label, output)
