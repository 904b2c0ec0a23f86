"""Flows of Pyro."""
