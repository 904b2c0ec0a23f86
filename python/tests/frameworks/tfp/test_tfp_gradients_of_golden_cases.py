"""Gradients of every golden case of TensorFlow Probability: against its own gradients, and the slope of its log p."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from gradient_case import require_gradients
from tfp_cases import CASES, random_model

# The gradient of TensorFlow Probability passes where a log scale is clipped, as if it were not (clip_by_value_preserve_
# gradient in its default template), and is then not the slope of its log p.
CLIPPED = ("tfp_template", "tfp_template_narrow")


def automatic(live, x, context):
    dtype = tf.as_dtype(np.asarray(live.forward(x, context)[0]).dtype)
    given = [tf.constant(part, dtype) for part in (x, context) if part is not None]
    with tf.GradientTape() as tape:
        tape.watch(given)
        both = (*given, None)[:2]
        if live._density is not None:
            log_p = live._density(*both)
        else:
            z, log_det = live._forward(*both)
            log_p = log_det - tf.reduce_sum(z * z, axis=-1) / 2
        total = tf.reduce_sum(log_p)
    found = tape.gradient(total, given, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [np.asarray(part, np.float64) for part in found]


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_live_model(name):
    require_gradients(random_model(name, 0, 0.5), automatic, differs=name in CLIPPED)
