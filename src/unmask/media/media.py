"""The one face that stills, animations and videos show to the rest of unmask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmask.media.facts import Counts, MediaFacts
    from unmask.media.sampling import Sampling
    from unmask.types import Frame


class Media(ABC):
    """An open image or video. Close it, or use it in a `with` statement."""

    def __init__(self, facts: MediaFacts) -> None:
        self.facts = facts

    @abstractmethod
    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """The wanted frames in presentation order; may be called again for another pass.

        Frames that fail to decode are left out and counted. Raises UnreadableError if not one frame came
        out, TimedOutError once the deadline has passed.
        """

    @property
    @abstractmethod
    def counts(self) -> Counts:
        """Of the last pass; complete once its frames are read to the end."""

    @abstractmethod
    def close(self) -> None:
        """Stop any decoding under way and let go of the file; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
