"""Collected where TensorFlow is installed. Needs no PyTorch: the fixture of the folder above is replaced."""

from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("tensorflow") else ["test_*.py"]


@pytest.fixture(autouse=True)
def one_thread_and_one_seed():
    import numpy as np
    import tensorflow as tf

    np.random.seed(0)  # random input orders and hidden degrees are drawn from it
    tf.random.set_seed(0)
