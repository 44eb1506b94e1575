"""Sampling settings that come from the record of a training."""

import json

import numpy as np

from ihdm.commands.sampling import read_sampling
from ihdm.storage.files import sha256


def test_process_prediction_and_images_are_those_of_the_training(tmp_path):
    train = tmp_path / "train.npy"
    np.save(train, np.zeros((4, 8, 8, 1), dtype=np.uint8))
    process = {"kind": "heat", "sigma": 0.01, "num_levels": 8, "blur_sigma_max": 4.0}
    record = {"inputs": {str(train): sha256(train)}, "settings": {"seed": 3, "num_train": 2}}
    (tmp_path / "model.meta.json").write_text(json.dumps(record))
    for prediction in ("residual", "whitened"):
        stored = {"_process": process} | ({"_prediction": {"kind": prediction}} if prediction == "whitened" else {})
        (tmp_path / "config.json").write_text(json.dumps(stored))
        found, images = read_sampling('{"delta_ratio": 1.5}', tmp_path, None)
        assert (found.predicted.kind, found.seed, found.num_train) == (prediction, 3, 2)
        assert (found.process.num_levels, found.delta_ratio, images) == (8, 1.5, train)
    # A sampler that needs estimates of the clean image fits the whitened network.
    second = {"coupling": "deterministic", "noise": "none", "order": 2}
    assert read_sampling(json.dumps({"sampler": second}), tmp_path, None)[0].sampler.order == 2
