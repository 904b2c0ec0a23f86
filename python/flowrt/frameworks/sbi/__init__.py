"""Flows of sbi."""
