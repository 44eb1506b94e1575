"""Nearest neighbours, against all distances."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ihdm.metrics.neighbours import nearest


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_nearest_are_those_of_all_distances_in_their_order(chunk):
    random = np.random.default_rng(0)
    points, others = random.standard_normal((5, 3)), random.standard_normal((40, 3))
    places, distances = nearest(points, others, 4, chunk)
    expected = cdist(points, others)
    assert np.array_equal(places, np.argsort(expected, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :4])


@pytest.mark.parametrize("chunk", [1, 3])
def test_of_equals_the_earlier_comes_first(chunk):
    places, distances = nearest(np.zeros((1, 2), dtype=np.uint8), np.ones((3, 2), dtype=np.uint8), 3, chunk)
    assert places.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(distances, np.sqrt(2))
