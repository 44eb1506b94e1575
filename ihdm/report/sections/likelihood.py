"""Bounds on the likelihood of held-out images."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.measures.texts import estimate_text, number_texts

HEADING = "How likely are held-out images?"
EXPLANATION = (
    "Upper bound on the negative log-likelihood of dequantised test images, with 95 % intervals, and its three "
    "parts in nats. Independent joint, one variance: the paper's bound, with δ = 0 it is infinite. The paper "
    "takes the levels of the forward process for independent given the image, and so pays at every level for "
    "noise that is drawn anew. Training fixes the marginals alone, so the Markov joint with the same marginals is "
    "as legitimate: the same network's likelihood by it is far higher. Variances for each level, or level and "
    "mode, were measured on training images. Diffusion has no δ; its Markov rows are its own bound, over the "
    "levels that were evaluated."
)


def parts(config: Config) -> list[str]:
    """Return the paper's bound of each experiment that has it, and the bounds by joint of each network."""
    return [f"metrics/likelihood/{name}.csv" for name, variant in config.variants.items() if variant.has_likelihood] + [
        f"metrics/joints/{name}.csv" for name, variant in config.variants.items() if variant.has_levels
    ]


VARIANCES = {"one": "one for all", "level": "one a level", "mode": "one a level and mode"}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and δ, with the bound and its terms."""
    terms = {"nats": "nats", "L_K": "prior_nats", "Σ L_k": "transition_nats", "L_0": "reconstruction_nats"}
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "joint": table["joint"],
            "variance": table["variance"].map(VARIANCES),
            "δ/σ": number_texts(table["delta_ratio"], "{:g}"),
            "n": table["n"],
            "bits/dim": _with_errors(table["bits_per_dim"], table["standard_error"]),
            "± by noise alone": number_texts(1.96 * table["monte_carlo_error"], "{:.4f}"),
            **{heading: _with_errors(table[column], table[f"{column}_error"]) for heading, column in terms.items()},
            "nats, best δ each level": number_texts(table["nats_best_levels"], "{:.1f}"),
        }
    )


def _with_errors(values: pd.Series, errors: pd.Series) -> list[str]:
    return [estimate_text(value, 1.96 * error) for value, error in zip(values, errors, strict=True)]
