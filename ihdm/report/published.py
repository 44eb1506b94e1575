"""FIDs that others published, to stand beside ours, never among them.

None is here that is only known second hand. Rows without an experiment of ours stay in the table: a dash says that
nothing was run.
"""

from dataclasses import dataclass

from ihdm.config.experiments import Variant


@dataclass(frozen=True)
class Published:
    """A published FID.

    Attributes:
        source: of the images, as `ihdm data sources` calls it.
        image_size: in pixels.
        kind: of process, as `process.kind` calls it; empty for one that is not among ours.
        fid: the value.
        by: who and what.
    """

    source: str
    image_size: int
    kind: str
    fid: float
    by: str

    def concerns(self, variant: Variant) -> bool:
        """Tell whether an experiment as configured is what was published: same images, same kind of process."""
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
"""Of data sets that we have no source of, none is listed. Cold Diffusion's 80.08 on CIFAR-10 is the FID of deblurred
images, not of generated ones, and so is left out."""
