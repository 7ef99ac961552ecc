"""Find faces, follow them through time, cut aligned crops. Importing the detectors files them by name."""

from unmask.faces import blazeface, centerface, mtcnn, yunet
from unmask.faces.finder import FINDERS, FaceFinder, Use

__all__ = ["FINDERS", "FaceFinder", "Use", "blazeface", "centerface", "mtcnn", "yunet"]
