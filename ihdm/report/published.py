"""Published FIDs, shown in a separate column next to ours.

Only values from the original publications, or cited there, are listed.
"""

from dataclasses import dataclass

from ihdm.config.experiments import Variant


@dataclass(frozen=True)
class Published:
    """A published FID.

    Attributes:
        source: source of the images, as in `ihdm data sources`.
        image_size: image size in pixels.
        kind: the `process.kind`; empty for a process that is not implemented here.
        fid: the FID.
        by: the publication or method.
    """

    source: str
    image_size: int
    kind: str
    fid: float
    by: str

    def concerns(self, variant: Variant) -> bool:
        """Return whether an experiment has the same images and kind of process, and no swept parameter."""
        dataset, kind = variant.experiment.dataset, variant.experiment.process.kind
        found = (dataset.source, dataset.image_size, kind)
        return variant.swept is None and found == (self.source, self.image_size, self.kind)


PUBLISHED = (
    Published("cifar10", 32, "heat", 18.96, "IHDM, the paper"),
    Published("cifar10", 32, "diffusion", 3.17, "DDPM"),
    Published("cifar10", 32, "blurring", 3.17, "Blurring Diffusion"),
    Published("cifar10", 32, "", 3.86, "Soft Diffusion"),
    Published("lsun_church", 128, "heat", 45.06, "IHDM, the paper"),
    Published("lsun_church", 128, "heat", 119.34, "IHDM, retrained for Edge-preserving noise"),
    Published("ffhq", 128, "heat", 55.87, "IHDM, retrained for Beyond Blur"),
)
"""Only data sets with a source here. Cold Diffusion's 80.08 is omitted: it is the FID of deblurred images."""
