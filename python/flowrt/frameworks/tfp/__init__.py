"""Flows of TensorFlow Probability."""
