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
    label_sha256={
        "train": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",  # as Debian gzips it
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",  # gunzipped
        ),
        "test": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",  # as Debian gzips it
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",  # gunzipped
        ),
    },
    installed=Path("/usr/share/datasets/fashion-mnist"),
)
