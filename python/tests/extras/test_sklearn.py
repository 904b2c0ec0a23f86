"""A flow as an estimator of scikit-learn."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from random_flows import flow as random_flow
from sklearn.base import BaseEstimator, clone
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

import flowrt
from flowrt import Model
from flowrt.file import encode

DATA = encode(flowrt.compile(random_flow(10, 3, 2)))
X = np.random.default_rng(0).normal(size=(20, 3))
CONTEXT = [0.5, -1.0]


@pytest.fixture
def estimator():
    return Model(DATA).sklearn(CONTEXT)


def test_the_methods_of_kernel_density(estimator):
    expected = Model(DATA).log_prob(X, CONTEXT).astype(float)
    found = estimator.score_samples(X)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
    assert estimator.score(X) == expected.sum()
    np.testing.assert_array_equal(estimator.sample(4, random_state=1), Model(DATA).sample(4, CONTEXT, seed=1))
    assert estimator.sample().shape == (1, 3)
    other = KernelDensity().fit(X)
    assert found.shape == other.score_samples(X).shape and np.ndim(estimator.score(X)) == np.ndim(other.score(X))


def test_what_scikit_learn_does_with_estimators(estimator):
    assert isinstance(estimator, BaseEstimator)
    check_is_fitted(estimator)
    for again in (clone(estimator), pickle.loads(pickle.dumps(estimator))):
        np.testing.assert_array_equal(again.score_samples(X), estimator.score_samples(X))
    assert set(estimator.get_params()) == {"density", "context"}
    doubled = make_pipeline(FunctionTransformer(lambda x: 2 * x), estimator).fit(X)
    np.testing.assert_array_equal(doubled.score_samples(X), estimator.score_samples(2 * X))
    with pytest.raises(flowrt.LibraryError, match="x must be"):
        estimator.fit(X[:, :2])
    assert "DensityEstimator" in repr(estimator)


def test_without_scikit_learn_the_methods_are_the_same():
    """In a process that cannot import it; and `import flowrt` never does."""
    program = (
        "import sys, flowrt; assert 'sklearn' not in sys.modules; sys.modules['sklearn'] = None\n"
        f"found = flowrt.Model({DATA!r}).sklearn({CONTEXT})\n"
        f"print(found.fit({X.tolist()}).score({X.tolist()}), type(found).__mro__[1:])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    score, bases = printed.split(" ", 1)
    assert float(score) == Model(DATA).sklearn(CONTEXT).score(X) and bases == "(<class 'object'>,)\n"
