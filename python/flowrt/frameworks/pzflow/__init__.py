"""Flows of pzflow."""
