"""Flows of bayesflow."""
