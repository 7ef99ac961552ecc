"""The page of an outcome: what was measured, drawn."""

from unmask.evaluation.page.render import render

__all__ = ["render"]
