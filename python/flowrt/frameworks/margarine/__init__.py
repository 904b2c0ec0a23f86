"""Flows of margarine."""
