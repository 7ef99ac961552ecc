"""Figures that can be believed: each with its interval, by level and by group."""
