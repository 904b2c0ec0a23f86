"""Keras configurations in another precision, for the float64 copies that exports are compared with."""

from __future__ import annotations


def retyped(config, dtype: str):
    """A Keras configuration with every floating-point type, or policy of types, replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return dtype
        return {
            key: dtype if key == "dtype" and _is_floating(value) else retyped(value, dtype)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(retyped(value, dtype) for value in config)
    return config


def _is_floating(dtype) -> bool:
    return isinstance(dtype, dict) or str(dtype).startswith("float")
