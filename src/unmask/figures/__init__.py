"""Figures of merit for scores where larger means more likely fake, with their intervals."""
