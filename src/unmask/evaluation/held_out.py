"""The guard: what a protocol calls test neither trains nor chooses, and who has seen it is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmask.data.sample import Sample
from unmask.detector.history import History, Seen, fingerprints
from unmask.errors import DataError
from unmask.evaluation.parts import Held, hold, place_of, table_sha256
from unmask.evaluation.protocol import CHOOSE, TEST, Only, Part, Protocol, read_protocol

TRAINED, CHOSEN = "train", "val"
"""The splits of a corpus that weights are fitted to, and that they and all else are chosen by."""

BY_SOURCE = "source"


@dataclass(frozen=True)
class HeldOut:
    """A protocol with those of its test and choosing sets that are here."""

    protocol: Protocol
    tests: tuple[Held, ...]
    choosers: tuple[Held, ...]
    absent: tuple[str, ...]

    def check(self, samples: Sequence[Sample], corpus: Path) -> None:
        """Let `samples` of `corpus` pass if none in the splits `train` and `val` is of a test set, and if
        those of `val` are of the sets that may choose, where the protocol names any.

        Raises:
            DataError: a set called test would be learned from or chosen by.
        """
        for split, doing in ((TRAINED, "train on"), (CHOSEN, "choose by")):
            part = [sample for sample in samples if sample.split == split]
            for test in self.tests:
                self._refuse_test(part, test, doing, split, corpus)
        chosen_by = [sample for sample in samples if sample.split == CHOSEN]
        if self.choosers and len(self.choosers) == len(self.protocol.of(CHOOSE)):
            self._refuse_strangers(chosen_by)

    def _refuse_test(
        self, samples: Sequence[Sample], test: Held, doing: str, split: str, corpus: Path
    ) -> None:
        protocol, name = self.protocol.name, test.part.name
        if samples and self._is_same_table(test, split, corpus):
            raise DataError(
                f"the protocol {protocol} calls the split {split!r} of this table its test set {name!r}, and "
                f"{len(samples)} samples of it would be there to {doing}",
                hint=self._way_out(doing),
            )
        shared = [(sample, why) for sample in samples if (why := self._shared(sample, test))]
        if shared:
            first, why = shared[0]
            raise DataError(
                f"{len(shared)} of the {len(samples)} samples to {doing} are of {name!r}, a test set of the "
                f"protocol {protocol}: {first.path.name} is {why}",
                hint=self._way_out(doing),
            )

    def _is_same_table(self, test: Held, split: str, corpus: Path) -> bool:
        """Whether the split is the test set by name, also where the same table lies in two places. Of a set
        that takes only some of its rows, the rows tell."""
        if test.part.split not in ("", split) or test.part.only != Only():
            return False
        return bool(test.sha256) and table_sha256(table_of_corpus(corpus)) == test.sha256

    def _shared(self, sample: Sample, test: Held) -> str:
        """What ties a sample to a test set, in words; "" where nothing does."""
        if place_of(sample.path) in test.places:
            return "the same file"
        if self.protocol.apart == BY_SOURCE:
            for name in (sample.source, sample.partner_source):
                if name and name in test.recordings:
                    return f"of the same recording, {name!r}"
        return ""

    def _refuse_strangers(self, samples: Sequence[Sample]) -> None:
        places = frozenset().union(*(held.places for held in self.choosers))
        recordings = frozenset().union(*(held.recordings for held in self.choosers))
        strangers = [
            sample
            for sample in samples
            if sample.source not in recordings and place_of(sample.path) not in places
        ]
        if strangers:
            first = strangers[0]
            raise DataError(
                f"{len(strangers)} of the {len(samples)} samples to choose by are in no set that may choose "
                f"under the protocol {self.protocol.name}, such as {first.path.name} of {first.dataset!r}",
                hint=self._way_out("choose by"),
            )

    def _way_out(self, doing: str) -> str:
        may = [_told(part) for part in self.protocol.of(CHOOSE)]
        if doing == "choose by" and may:
            return "what may choose: " + "; ".join(may)
        return "take them out of what is learned from, or follow another protocol"


def table_of_corpus(corpus: Path) -> Path:
    """The table that names a corpus's samples: the manifest, or the folder's train.csv."""
    return corpus / "train.csv" if corpus.is_dir() else corpus


def held_out(path: Path, root: Path | None, corpus: Path, say: Callable[[str], None]) -> HeldOut:
    """The guard of the protocol at `path`, its sets below `root`; unless that or the protocol says where, in
    the folder of `corpus`.

    Test sets that are not here are named by `say`; a model is compared with them when it is measured.

    Raises:
        DataError: the protocol or a set cannot be read, or no test set is here.
    """
    protocol = read_protocol(path)
    folder = protocol.folder(path, root) or (corpus if corpus.is_dir() else corpus.absolute().parent)
    tests = [part for part in protocol.of(TEST) if (folder / part.path).exists()]
    if not tests:
        raise DataError(
            f"no test set of the protocol {protocol.name} is in {folder}, so nothing can be kept apart",
            hint="give the folder that its paths start from with --root",
        )
    choosers = [part for part in protocol.of(CHOOSE) if (folder / part.path).exists()]
    absent = [part.name for part in protocol.of(TEST, CHOOSE) if part not in (*tests, *choosers)]
    if absent:
        say(
            f"protocol {protocol.name}: {', '.join(absent)} not in {folder}, so not compared with; a model "
            "is compared with a test set again when it is measured on it"
        )
    return HeldOut(
        protocol,
        tuple(hold(part, folder) for part in tests),
        tuple(hold(part, folder) for part in choosers),
        tuple(absent),
    )


def guard(
    protocols: Iterable[Path],
    root: Path | None,
    samples: Sequence[Sample],
    corpus: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Let `samples` pass under each of the protocols, as `HeldOut.check`.

    Raises:
        DataError: they do not, or a protocol cannot be used.
    """
    for path in protocols:
        held_out(path, root, corpus, say).check(samples, corpus)


def history_of(samples: Iterable[Sample], corpus: Path, *, complete: bool = True) -> History:
    """What a model has seen that was trained on the split `train` of `samples` and chosen by `val`; not
    `complete` where it began with weights that had seen more."""
    names: dict[tuple[str, str], set[str]] = {}
    for sample in samples:
        if sample.split in (TRAINED, CHOSEN):
            known = names.setdefault((sample.split, sample.dataset), set())
            known |= {sample.source, sample.partner_source}
    sha256 = table_sha256(table_of_corpus(corpus))
    return History(
        tuple(
            Seen("train" if split == TRAINED else "choose", dataset, split, sha256, fingerprints(known))
            for (split, dataset), known in sorted(names.items())
        ),
        complete,
    )


def seen_of(history: History, held: Held) -> int:
    """How many recordings of the set a model with this history has been trained on or chosen by."""
    return len(held.prints & {print_ for part in history.parts for print_ in part.prints()})


def has_seen_table(history: History, held: Held) -> bool:
    """Whether a model was trained on or chosen by these very rows, by the hash of their table and the split:
    for tables that name no recordings, and protocols that keep only files apart."""
    datasets = {medium.dataset for medium in held.media}
    return bool(held.sha256) and any(
        part.table_sha256 == held.sha256 and part.dataset in datasets and held.part.split in ("", part.split)
        for part in history.parts
    )


def _told(part: Part) -> str:
    return f"{part.name} ({part.path}{f', split {part.split}' if part.split else ''})"
