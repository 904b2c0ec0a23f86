"""Flows of FrEIA."""
