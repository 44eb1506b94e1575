"""Fashion-MNIST, images of clothes: 28×28, gray."""

from pathlib import Path

from ihdm.data.sources.mnist import mnist_like

SOURCE = mnist_like(
    origin="Fashion-MNIST (Xiao, Rasul, Vollgraf), images of clothes",
    data_license="MIT",
    address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    train_sha256=(
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",  # as Debian gzips it
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",  # gunzipped
    ),
    test_sha256=(
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",  # as Debian gzips it
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",  # gunzipped
    ),
    installed=Path("/usr/share/datasets/fashion-mnist"),
)
