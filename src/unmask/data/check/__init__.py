"""What a network could learn in place of forgery, and what would make its figures too good to be true."""

from unmask.data.check.check import Checked, check

__all__ = ["Checked", "check"]
