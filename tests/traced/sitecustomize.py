"""Python imports this at its start where it is found: each command of the smoke run notes what it has imported."""

import atexit
import json
import os
import sys
from hashlib import sha256
from pathlib import Path

NOTABLE = (
    *("diffusers", "transformers", "accelerate", "torch", "torch._dynamo", "torchvision", "scipy.stats", "sklearn"),
    *("skimage", "pandas", "matplotlib", "seaborn", "altair", "rocrate"),
)


def note() -> None:
    """Write the arguments and the notable modules, if this was a command of ours."""
    if Path(sys.argv[0]).parts[-2:] == ("ihdm", "__main__.py"):
        content = {"arguments": sys.argv[1:], "modules": [name for name in NOTABLE if name in sys.modules]}
        name = sha256("\0".join(sys.argv[1:]).encode()).hexdigest()[:16]  # a rerun replaces the note
        (Path(os.environ["IHDM_IMPORTS"]) / f"{name}.json").write_text(json.dumps(content))


atexit.register(note)
