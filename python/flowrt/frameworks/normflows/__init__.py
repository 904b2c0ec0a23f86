"""Flows of normflows."""
