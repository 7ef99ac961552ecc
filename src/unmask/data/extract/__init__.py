"""Cut the faces out of the media of a manifest, by the code that cuts what a scan judges."""

from unmask.data.extract.extract import Extracted, extract
from unmask.data.extract.options import ExtractOptions

__all__ = ["ExtractOptions", "Extracted", "extract"]
