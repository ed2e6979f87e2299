"""How long a client waits, by a clock that is none."""

import random

import numpy as np
import pytest

from serving.client import (
    ModelNotFoundError,
    RequestTimeoutError,
    Retries,
    ServerUnavailableError,
)


def test_waits_grow_and_are_spread():
    retries = Retries(times=8, first_wait=0.5, longest_wait=10)
    drawn = np.array([list(retries.waits(random.Random(seed))) for seed in range(4000)])
    limits = np.array([0.5, 1, 2, 4, 8, 10, 10, 10])
    assert (drawn >= 0).all() and (drawn <= limits).all()
    # Uniform up to the limit: mean of a half, standard deviation of 1/√12.
    np.testing.assert_allclose(drawn.mean(axis=0), limits / 2, rtol=0.04)
    np.testing.assert_allclose(drawn.std(axis=0), limits / 12**0.5, rtol=0.04)


def test_the_servers_wish():
    retries = Retries(times=1, first_wait=0, longest_wait=7)
    for wish, wait in ((None, 0.0), (3.0, 3.0), (60.0, 7.0)):
        waits = retries.waits(random.Random(0))
        assert retries.wait_after(ServerUnavailableError("full", wish), waits) == wait


@pytest.mark.parametrize("kind", [ModelNotFoundError, RequestTimeoutError])
def test_what_is_not_tried_again(kind):
    retries, error = Retries(), kind("no")
    with pytest.raises(kind) as caught:
        retries.wait_after(error, retries.waits(random.Random(0)))
    assert caught.value is error


@pytest.mark.parametrize("field", ["times", "first_wait", "longest_wait"])
def test_negative(field):
    with pytest.raises(ValueError, match=f"{field} must not be negative"):
        Retries(**{field: -1})
