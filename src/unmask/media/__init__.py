"""Opens any image or video and gives its frames as upright RGB with their true times."""

from unmask.media.facts import Counts, MediaFacts
from unmask.media.limits import Limits
from unmask.media.media import Media
from unmask.media.opener import open_media
from unmask.media.sampling import Sampling

__all__ = ["Counts", "Limits", "Media", "MediaFacts", "Sampling", "open_media"]
