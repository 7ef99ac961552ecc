"""A file in, a report out: media → faces → detector, streamed. The whole story on one page."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.ahead import ahead
from unmask.detector.detector import BATCH, Detector, FaceScore
from unmask.errors import TimedOutError, UnmaskError, UnreadableError, UnsupportedError
from unmask.faces import FINDERS, FaceFinder, Use
from unmask.faces.tracks import Tracker, look_of
from unmask.media import Counts, Limits, MediaFacts, Sampling, open_media
from unmask.options import ScanOptions
from unmask.people import (
    Person,
    Sighting,
    deciding,
    deciding_so_far,
    glimpsed_fake,
    partly_fake,
    settled,
)
from unmask.types import Coverage, Face, FileFacts, Frame, Partial, Report, TrackReport, Verdict
from unmask.version import __version__

Progress = Callable[[float], None]
"""Called with the share of the work done, in [0, 1]."""

Watch = Callable[[Partial], None]
"""Called with what is known so far, about every `WATCH_EVERY` seconds."""

Look = Callable[[Frame, Sequence[Face]], None]
"""Called with every frame that is looked at and the faces in it, in order. It must not keep the frame's
image."""

WATCH_EVERY = 0.4
"""Seconds between partial results."""

LEAST_SAMPLES = 10
"""Frames looked at where a video is too short to give as many at the stride asked for."""

NO_VERDICT: tuple[tuple[type[UnmaskError], Verdict], ...] = (
    (UnreadableError, Verdict.UNREADABLE),
    (UnsupportedError, Verdict.UNSUPPORTED),
    (TimedOutError, Verdict.TIMED_OUT),
)


class Scanner:
    """Scans files one after another with the same options; networks are opened once.

    Raises:
        UnmaskError: on making it, when a model, a detector or an aggregation cannot be had. A file that
            cannot be judged is no error but a report that says so.
    """

    def __init__(self, options: ScanOptions | None = None) -> None:
        self.options = options or ScanOptions()
        self.threads = self.options.threads or os.cpu_count() or 1
        # Several frames and batches are worked on at once, one thread each: that keeps the cores busier than
        # several threads on one small network do.
        self.detector = Detector.load(self.options.model, aggregation=self.options.aggregation)
        self._make_finder = FINDERS[self.options.detector]
        self._finders: dict[Use, FaceFinder] = {}

    def scan(
        self,
        path: str | Path,
        progress: Progress | None = None,
        *,
        watch: Watch | None = None,
        look: Look | None = None,
    ) -> Report:
        """The report on one file; never raises for what the file is. `watch` is told what is known so far,
        and `look` sees what is looked at."""
        return self._scan(path, [self.detector], progress or (lambda _: None), watch, look)[0]

    def scan_alone(self, path: str | Path, progress: Progress | None = None) -> list[Report]:
        """A report by each of the models alone, from one look at the file."""
        return self._scan(path, self.detector.alone(), progress or (lambda _: None))

    def _scan(
        self,
        path: str | Path,
        detectors: Sequence[Detector],
        progress: Progress,
        watch: Watch | None = None,
        look: Look | None = None,
    ) -> list[Report]:
        began, now = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
        try:
            seen = self._look(Path(path), began, progress, watch, look)
            reports = [self._judge(seen, detector) for detector in detectors]
        except UnmaskError as error:
            verdict = next((v for kind, v in NO_VERDICT if isinstance(error, kind)), None)
            if verdict is None:
                raise
            reports = [
                self._report(path, detector, verdict, error.message, hint=error.hint)
                for detector in detectors
            ]
        seconds = round(time.monotonic() - began, 3)
        return [replace(report, seconds=seconds, scanned=now) for report in reports]

    def _look(
        self, path: Path, began: float, progress: Progress, watch: Watch | None, look: Look | None
    ) -> _Seen:
        options, watched = self.options, began
        limits = Limits(
            max_bytes=options.max_bytes,
            max_pixels=options.max_pixels,
            max_frame_pixels=options.max_frame_pixels,
            max_seconds=options.max_seconds,
        )
        deadline = began + options.timeout
        with (
            open_media(path, limits, threads=self.threads, deadline=deadline) as media,
            ThreadPoolExecutor(self.threads, "unmask-look") as pool,
        ):
            finder = self._finder(Use.STILL if media.facts.kind == "image" else Use.VIDEO)
            looking = _Looking(self.detector, options, pool, self.threads)
            frames = media.frames(_sampling(options, media.facts))
            depth = self.threads if finder.concurrent else 1
            for frame, faces in ahead(pool, lambda frame: finder.find(frame.image), frames, depth):
                looking.at(frame, faces)
                if look is not None:
                    look(frame, faces)
                progress(share := _share_done(frame, media.facts))
                if watch is not None and time.monotonic() - watched >= WATCH_EVERY:
                    watch(looking.so_far(share))
                    watched = time.monotonic()
                if time.monotonic() > deadline:
                    raise TimedOutError(
                        f"not finished after {options.timeout:g} s",
                        hint="allow more with --timeout, or look at fewer frames with --frames",
                    )
            looking.finish()
            coverage = looking.coverage(media.facts, media.counts)
            return _Seen(path, media.facts, coverage, looking.people)

    def _judge(self, seen: _Seen, detector: Detector) -> Report:
        band, coverage = detector.band, seen.coverage
        judged = [s.raw for person in seen.people.values() for s in person.sightings if s.raw is not None]
        without = sum(not detector.gives_number(raw) for raw in judged)
        if without:
            return self._report(
                seen.path,
                detector,
                Verdict.UNREADABLE,
                f"the model gave no number for {without} of {len(judged)} faces",
                hint="its file may be damaged: choose another with --model",
                file=_file_facts(seen.path, seen.facts),
                coverage=coverage,
            )
        tracks = settled(tuple(seen.people[i].report(detector, band) for i in sorted(seen.people)))
        left_out = coverage.faces_found - coverage.faces_judged - coverage.faces_too_small
        who = deciding(tracks)
        if who is not None and who.probability is not None:
            verdict, hint = band.verdict(who.probability), ""
            glimpsed = glimpsed_fake(tracks, band)
            if glimpsed is not None and verdict is not Verdict.FAKE:
                who, verdict = glimpsed, Verdict.UNSURE
                count = len(glimpsed.judged)
                message = (
                    f"person {glimpsed.id} of {len(tracks)} shows traces of manipulation, but was seen in "
                    f"only {count} of the frames looked at: too few to decide"
                )
                hint = "look at more frames with a smaller --stride"
            elif verdict is Verdict.REAL and (forged := partly_fake(tracks)) is not None:
                who, verdict = forged, Verdict.UNSURE
                message = _why(verdict, who, tracks, seen.facts)
            elif verdict is Verdict.REAL and left_out:
                verdict = Verdict.UNSURE
                faces = "1 face was" if left_out == 1 else f"{left_out} faces were"
                message = f"{faces} not judged; the others show no traces of manipulation"
                hint = f"judge more than {self.options.max_faces} of a frame with --max-faces"
            else:
                message = _why(verdict, who, tracks, seen.facts)
        elif coverage.faces_too_small:
            verdict = Verdict.FACE_TOO_SMALL
            message = f"all faces are smaller than {self.options.min_face} px"
            hint = "use a larger copy of the file, or lower --min-face and trust the answer less"
        else:
            verdict, message = Verdict.NO_FACE, "no face was found"
            more = " or a smaller --stride" if seen.facts.kind == "video" else ""
            hint = f"only faces are judged; try another --detector{more} if there is one"
        return self._report(
            seen.path,
            detector,
            verdict,
            message,
            hint=hint,
            probability=who.probability if who and verdict.is_judgement else None,
            file=_file_facts(seen.path, seen.facts),
            coverage=coverage,
            tracks=tracks,
        )

    def _report(
        self,
        path: str | Path,
        detector: Detector,
        verdict: Verdict,
        message: str,
        *,
        hint: str = "",
        probability: float | None = None,
        file: FileFacts | None = None,
        coverage: Coverage | None = None,
        tracks: tuple[TrackReport, ...] = (),
    ) -> Report:
        options = tuple((f.name, _told(getattr(self.options, f.name))) for f in fields(self.options))
        return Report(
            path=str(path),
            verdict=verdict,
            probability=probability,
            message=message,
            hint=hint,
            file=file,
            coverage=coverage or Coverage(),
            tracks=tracks,
            models=detector.facts,
            band=detector.band,
            aggregation=detector.aggregation,
            detector=self.options.detector,
            options=options,
            unmask_version=__version__,
        )

    def _finder(self, use: Use) -> FaceFinder:
        if use not in self._finders:
            self._finders[use] = self._make_finder(self.threads if use is Use.STILL else 1, use)
        return self._finders[use]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """All that a look at a file gave: what it is, how much was looked at, and everyone by track number."""

    path: Path
    facts: MediaFacts
    coverage: Coverage
    people: dict[int, Person]


_Unjudged = tuple[int, Sighting, tuple[NDArray[np.uint8], ...]]
"""A track's number, a face of it, and the crops of that face, one per model."""


class _Looking:
    """What has been seen of one file so far. Holds a batch of crops per thread and no frames."""

    def __init__(self, detector: Detector, options: ScanOptions, pool: Executor, at_once: int) -> None:
        self.detector, self.options, self.pool, self.at_once = detector, options, pool, at_once
        self.tracker = Tracker()
        self.people: dict[int, Person] = {}
        self.waiting: list[_Unjudged] = []
        self.judging: deque[tuple[list[_Unjudged], Future[list[FaceScore]]]] = deque()
        self.frames = self.frames_with_faces = self.judged = self.too_small = self.left_out = 0
        self.told: dict[int, int] = {}

    def at(self, frame: Frame, found: list[Face]) -> None:
        """Look at one frame and the faces found in it."""
        faces = found[: self.options.max_faces]
        self.left_out += len(found) - len(faces)
        self.frames += 1
        self.frames_with_faces += bool(faces)
        crops = [self.detector.crops(frame.image, face.landmarks) for face in faces]
        ids = self.tracker.update(faces, [look_of(crop[0]) for crop in crops], frame.time)
        for track_id, face, crop in zip(ids, faces, crops, strict=True):
            sighting = Sighting(frame.index, frame.time, face)
            if face.size < self.options.min_face:
                self.too_small += 1
                self._person(track_id).add(sighting)
            else:
                self.waiting.append((track_id, sighting, crop))
        while len(self.waiting) >= BATCH:
            self._judge()

    def finish(self) -> None:
        """Judge what is still waiting."""
        while self.waiting:
            self._judge()
        while self.judging:
            self._collect()

    def so_far(self, share: float) -> Partial:
        """What the faces judged until now say."""
        band = self.detector.band
        people = [known for p in self.people.values() if (known := p.so_far(self.detector, band)) is not None]
        who = deciding_so_far(people)
        return Partial(
            share=share,
            frames=self.frames,
            faces=self.judged,
            verdict=None if who is None else who.verdict,
            probability=None if who is None else who.probability,
            people=tuple(people),
            points=tuple(self._untold()),
        )

    def _untold(self) -> Iterator[tuple[int, float, float]]:
        """The faces judged since this was last asked: (person, time, P(fake))."""
        for number, person in self.people.items():
            first, self.told[number] = self.told.get(number, 0), len(person.sightings)
            for seen in person.sightings[first:]:
                if seen.raw is not None and self.detector.gives_number(seen.raw):
                    yield number, seen.time, self.detector.probability([seen.raw])

    def coverage(self, facts: MediaFacts, counts: Counts) -> Coverage:
        """What was looked at and what was not."""
        notes = counts.notes
        if self.left_out:
            notes = (*notes, f"{self.left_out} faces beyond {self.options.max_faces} per frame left out")
        return Coverage(
            frames_total=facts.frame_count,
            frames_sampled=self.frames,
            frames_failed=counts.failed,
            frames_with_faces=self.frames_with_faces,
            faces_found=self.judged + self.too_small + self.left_out,
            faces_judged=self.judged,
            faces_too_small=self.too_small,
            truncated=counts.truncated,
            notes=notes,
        )

    def _judge(self) -> None:
        """Hand one batch to the networks; they are at most `at_once` batches behind."""
        batch, self.waiting = self.waiting[:BATCH], self.waiting[BATCH:]
        crops = [crop for _, _, crop in batch]
        self.judging.append((batch, self.pool.submit(self.detector.score, crops)))
        if len(self.judging) > self.at_once:
            self._collect()

    def _collect(self) -> None:
        """Take in the oldest batch, so that results come in the order of time."""
        batch, scores = self.judging.popleft()
        for (track_id, seen, crop), score in zip(batch, scores.result(), strict=True):
            judged = Sighting(seen.frame, seen.time, seen.face, score.raw)
            self._person(track_id).add_judged(judged, score, crop[0])
        self.judged += len(batch)

    def _person(self, track_id: int) -> Person:
        if track_id not in self.people:
            self.people[track_id] = Person(track_id, self.options.evidence, self.detector.models[0].card.crop)
        return self.people[track_id]


def expand(paths: Sequence[str | Path]) -> Iterator[Path]:
    """The files of `paths`: a folder gives all files below it, sorted, hidden ones left out."""
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        closed: list[OSError] = []
        for folder, folders, names in os.walk(path, onerror=closed.append):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))
        # Folders that may not be entered are handed on as if they were files, and reported as unreadable.
        yield from (Path(error.filename) for error in closed)


def _told(value: object) -> str:
    """An option's value as a report tells it."""
    if value is None:
        return "not given"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _sampling(options: ScanOptions, facts: MediaFacts) -> Sampling:
    """Every Nth frame, but enough of a short video to say something."""
    total = facts.frame_count
    if options.frames is None and total and total < options.stride * LEAST_SAMPLES:
        return Sampling(frames=min(LEAST_SAMPLES, total))
    return Sampling(options.stride, options.frames)


def _share_done(frame: Frame, facts: MediaFacts) -> float:
    return min(1.0, (frame.index + 1) / facts.frame_count) if facts.frame_count else 0.0


def _why(verdict: Verdict, who: TrackReport, tracks: tuple[TrackReport, ...], facts: MediaFacts) -> str:
    whom = "the face" if len(tracks) == 1 else f"person {who.id} of {len(tracks)}"
    said = {
        Verdict.FAKE: "shows traces of manipulation",
        Verdict.REAL: "shows no traces of manipulation that this model knows",
        Verdict.UNSURE: "cannot be told: real and fake faces both score like this",
    }[verdict]
    when = ""
    if who.fake_spans and facts.kind == "video":
        if verdict is not Verdict.FAKE:
            said = "cannot be told as a whole, but shows traces of manipulation"
        spans = [f"{span.start:.1f}-{span.end:.1f} s" for span in who.fake_spans[:3]]
        when = " at " + ", ".join(spans) + (" and more" if len(who.fake_spans) > 3 else "")
    unseen = sum(track.probability is None for track in tracks)
    rest = f"; {unseen} smaller face{'s' * (unseen > 1)} not judged" if unseen else ""
    return f"{whom} {said}{when}{rest}"


def _file_facts(path: Path, facts: MediaFacts) -> FileFacts:
    return FileFacts(
        name=path.name,
        size_bytes=facts.size_bytes,
        sha256=facts.sha256,
        kind=facts.kind,
        container=facts.container,
        codec=facts.codec,
        pixel_format=facts.pixel_format,
        width=facts.width,
        height=facts.height,
        frame_rate=facts.frame_rate,
        variable_frame_rate=facts.variable_frame_rate,
        duration=facts.duration_s,
        frame_count=facts.frame_count,
        rotation=facts.rotation_degrees,
        has_audio=facts.has_audio,
        tags=facts.tags,
    )
