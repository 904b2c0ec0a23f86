"""Flows of zuko."""
