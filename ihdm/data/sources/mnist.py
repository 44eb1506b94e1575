"""MNIST, handwritten digits: 28×28, gray."""

from ihdm.data.idx import mnist_like

SOURCE = mnist_like(
    origin="the MNIST database of handwritten digits (LeCun, Cortes, Burges)",
    data_license="CC BY-SA 3.0",
    address="https://ossci-datasets.s3.amazonaws.com/mnist",
    train_sha256=(
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",  # gunzipped
    ),
    test_sha256=(
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",  # gunzipped
    ),
)
