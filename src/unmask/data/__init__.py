"""Corpora as tables of samples."""
