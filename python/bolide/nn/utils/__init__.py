"""Helpers for parameters and sequences."""
