"""Flows of nflows."""
