"""Flows of flowjax."""
