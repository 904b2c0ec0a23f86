"""Writes NAME.log_prob.tflite and NAME.inverse.tflite for peers/litert.py, with TensorFlow's converter.

python peers/convert_litert.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import tensorflow as tf  # noqa: E402

import flows  # noqa: E402


def functions(flow):
    dim = flow.size.dim
    activation = getattr(tf.nn, flow.size.activation)
    rows = tf.TensorSpec([None, dim], tf.float32)

    def parameters(x, w1, b1, w2, b2, w3, b3):
        h = activation(tf.matmul(x, w1, transpose_b=True) + b1)
        h = activation(tf.matmul(h, w2, transpose_b=True) + b2)
        shift, raw = (
            tf.matmul(h, w, transpose_b=True) + b for w, b in zip(np.split(w3, 2), np.split(b3, 2), strict=True)
        )
        # The runtime has no softplus.
        return shift, tf.nn.relu(raw) + tf.math.log(1 + tf.exp(-tf.abs(raw))) + flows.EPSILON

    @tf.function(input_signature=[rows])
    def log_prob(x):
        log_det = 0.0
        for s in range(flow.size.steps):
            shift, scale = parameters(x, *flow.step(s))
            x = scale * x + shift
            log_det += tf.reduce_sum(tf.math.log(scale), -1)
        return log_det - 0.5 * tf.reduce_sum(x * x, -1) - 0.5 * np.float32(np.log(2 * np.pi)) * dim

    @tf.function(input_signature=[rows])
    def inverse(z):
        for s in reversed(range(flow.size.steps)):

            def refine(k, x, z=z, s=s):
                shift, scale = parameters(x, *flow.step(s))
                return k + 1, (z - shift) / scale

            z = tf.while_loop(lambda k, x: k < dim, refine, (tf.constant(0), tf.zeros_like(z)))[1]
        return z

    return {"log_prob": log_prob, "inverse": inverse}


def main(folder):
    for name, size in flows.SIZES.items():
        paths = {verb: Path(folder) / f"{name}.{verb}.tflite" for verb in ("log_prob", "inverse")}
        made = (Path(folder) / f"{name}.done").stat().st_mtime
        if size.context or all(path.exists() and path.stat().st_mtime > made for path in paths.values()):
            continue
        for verb, function in functions(flows.load(folder, name)).items():
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], function)
            paths[verb].write_bytes(converter.convert())


if __name__ == "__main__":
    main(sys.argv[1])
