"""The page of an outcome: whole, alone, the same every time, and safe with whatever things are called."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from tests.evaluation.made import judge, made, row
from tests.web.browsers import CHROMIUM, Chromium

from unmask.evaluation import outcome as module
from unmask.evaluation.figures import MEDIUM, lines
from unmask.evaluation.judged import judged_files
from unmask.evaluation.outcome import outcome, write_outcome
from unmask.evaluation.page.listed import MOST_MISTAKES, matrix, mistakes
from unmask.evaluation.page.looks import MOST_LOOKS, looks_of
from unmask.evaluation.page.probabilities import believed, effective, wilson
from unmask.evaluation.pairs import pairs
from unmask.evaluation.table import Scores, Setting, read_scores, table
from unmask.figures.reliability import expected_calibration_error

EVIL = "<script>alert(1)</script>\"'&amp;\u202egnp.\u2066x"
SHOWN = "<script>alert(1)</script>\"'&amp;\\u202egnp.\\u2066x"


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks the same with intervals of fewer draws."""
    monkeypatch.setattr(module, "DRAWS", 20)


class Parsed(HTMLParser):
    """What is in a page: elements with their attributes, and all text that is not style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All text, its white space as one blank each."""
        return " ".join(" ".join(self.texts).replace("\N{NO-BREAK SPACE}", " ").split())

    def all(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def page_of(scores: Scores) -> Parsed:
    return Parsed(outcome(scores).page())


CASES: dict[str, Callable[[], Scores]] = {
    "one model": lambda: made(["a"]),
    "two models": lambda: made(["a", "b"], lost=lambda number: number % 9 == 0),
    "three models": lambda: made(["a", "b", "c"], degradations=["jpeg", "gamma"]),
    "thirteen models": lambda: made([f"model {n}" for n in range(13)], degradations=["jpeg"]),
    "fakes only": lambda: made(["a", "b"], reals=0),
    "reals only": lambda: made(["a"], fakes=0),
    "a label each": lambda: table(
        [row("a", f"d/{n}", False, n / 9) for n in range(9)]
        + [row("b", f"d/f{n}", True, n / 9) for n in range(9)],
        [judge("a"), judge("b")],
    ),
    "one file": lambda: table([row("a", "d/1", True, 1.0)], [judge("a")]),
    "few sources": lambda: made(["a", "b"], reals=3, fakes=3),
    "nothing judged": lambda: made(["a", "b"], lost=lambda number: True),
    "nothing measured": lambda: table([], [judge("a")]),
    "certain": lambda: table([row("a", f"d/{n}", n > 3, float(n > 3)) for n in range(8)], [judge("a")]),
    "degraded alone": lambda: table(
        [row("a", f"d/{n}", n > 3, n / 8, degradation="jpeg", severity=2) for n in range(8)], [judge("a")]
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_any_scores_give_a_page_that_is_whole_and_alone(case: str) -> None:
    text = outcome(CASES[case]()).page()
    page = Parsed(text)
    assert not {tag for tag, _ in page.elements} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "form",
        "base",
    }
    ids = Counter(page.all("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    wanted = {name for value in page.all("aria-labelledby") for name in value.split()}
    targets = page.all("href")
    assert all(target.startswith("#") for target in targets)
    assert wanted | {target[1:] for target in targets} <= set(ids)
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    assert page.all("src") == page.all("style") == []
    assert not re.search(r"https?:|//\w|@import|javascript:", text)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {"#hatch"}
    assert "nan" not in re.findall(
        r"[a-z]+", " ".join([page.text, *page.all("d"), *page.all("x"), *page.all("y")])
    )
    assert "How it was measured" in page.text


def test_the_policy_allows_the_page_s_own_style_and_nothing_else() -> None:
    text = outcome(made(["a"])).page()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = [content for content in Parsed(text).all("content") if "default-src" in content]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "unsafe" not in policy


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    scores = CASES["three models"]()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    told = write_outcome(scores, tmp_path / "one")
    # Once more from what was written.
    again = write_outcome(read_scores(tmp_path / "one" / "scores.parquet"), tmp_path / "two")
    assert told == again
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["figures.csv", "paired.csv", "report.html", "report.md", "scores.parquet"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert (tmp_path / "one" / "report.md").read_text(encoding="utf-8") == told


def test_names_are_shown_and_do_nothing() -> None:
    rows = [
        row(
            name,
            f"{EVIL}/{n}",
            n % 2 == 1,
            None if n == 30 else n / 40,
            method=EVIL if n % 2 else "",
            compression=EVIL,
            kind=EVIL,
            source=f"{EVIL}{n}",
            degradation=state,
            severity=severity,
            **({"verdict": EVIL} if n == 30 else {}),
        )
        for name in (EVIL, "b", "c")
        for n in range(32)
        for state, severity in (("", 0), (EVIL, 1))
    ]
    setting = Setting(EVIL, EVIL, EVIL, "test", EVIL, 20, 0, seen={EVIL: 3})
    made_evil = replace(table(rows, [judge(EVIL), judge("b"), judge("c")]), setting=setting)
    text = outcome(made_evil).page()
    page = Parsed(text)
    assert "script" not in {tag for tag, _ in page.elements}
    assert "<script" not in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]", text)
    assert page.text.count(SHOWN) > 50
    assert any(SHOWN in label for label in page.all("aria-label"))
    assert "onerror" not in text


def test_figures_are_those_of_the_table_beside_it() -> None:
    scores = made(["a", "b"], reals=80, fakes=70)
    told = outcome(scores)
    page = Parsed(told.page())
    known = [line for line in told.lines if line.summary is not None]
    assert len(known) == 2 * (1 + 2 + 1 + 1)
    for line in known:
        assert line.summary is not None
        assert f"{line.summary.auc.value:.3f}" in page.text, line
    first = next(line for line in told.lines if not line.by)
    assert first.summary is not None
    auc = first.summary.auc
    assert f"a AUC {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]" in page.text
    assert "80 + 70 150 of 150" in page.text


def test_what_cannot_be_had_is_said() -> None:
    assert "Only fakes were judged" in page_of(CASES["fakes only"]()).text
    assert "Only reals were judged" in page_of(CASES["reals only"]()).text
    assert "No model judged files of both labels" in page_of(CASES["a label each"]()).text
    nothing = page_of(CASES["nothing judged"]()).text
    assert "No file was judged" in nothing
    assert "NO_FACE" in nothing
    assert "Nothing was measured" in page_of(CASES["nothing measured"]()).text
    for case in ("fakes only", "nothing judged"):
        assert "Who is above whom" not in page_of(CASES[case]()).text


def test_sets_of_which_too_little_was_judged_are_marked() -> None:
    note = "! Less than 99% of the files were judged"
    lost = page_of(CASES["two models"]()).text
    assert note in lost
    assert "42 of 48 !" in lost
    assert note not in page_of(CASES["three models"]()).text


def test_many_models_are_told_apart_by_looks_and_the_rest_is_grey() -> None:
    scores = CASES["thirteen models"]()
    told = outcome(scores)
    names = [model.name for model in scores.models]
    looks = looks_of(names, told.lines)
    own = [name for name in names if looks[name].own]
    assert len(own) == MOST_LOOKS
    assert names[0] in own
    assert len({looks[name].style for name in own}) == MOST_LOOKS
    auc = {line.model: line.summary.auc.value for line in told.lines if not line.by and line.summary}
    assert min(auc[name] for name in own[1:]) >= max(auc[name] for name in names if name not in own)
    page = Parsed(told.page())
    assert "5 more models" in page.text
    assert "The 60 of 78 pairs with the smallest p" in page.text
    assert all(f"Worst mistakes of {name}" in page.text for name in names)


def test_what_a_model_has_seen_of_a_test_set_is_marked() -> None:
    setting = Setting("mine", "a" * 64, "wild", "test", "b" * 64, 20, 0, {"b": ("x",)}, {"a": 12}, ("b",))
    page = page_of(replace(made(["a", "b", "c"]), setting=setting)).text
    assert "Protocol mine, set wild (test)." in page
    assert "Trained on or chosen by 12 of the set’s recordings" in page
    assert "Trained on other media of the same data sets." in page
    assert "Its file does not say what it was trained on" in page
    assert page.count("a ‡") > 2
    assert "b ‡" not in page
    # Whether a model has seen what may choose is not asked.
    chosen = page_of(
        replace(made(["a", "b"]), setting=replace(setting, role="choose", seen={}, within=()))
    ).text
    assert "set wild (choose)" in chosen
    assert "trained on" not in chosen


def test_the_worst_mistakes_come_first_and_files_not_judged_are_none() -> None:
    (files,) = judged_files(made(["a"], lost=lambda number: number % 7 == 0))
    told = mistakes(files, 0)
    for entries, fake in ((told.reals, False), (told.fakes, True)):
        known = np.sort(files.p[0][(files.fake == fake) & files.judged(0)])
        expected = known[:MOST_MISTAKES] if fake else known[::-1][:MOST_MISTAKES]
        assert [one.probability for one in entries] == expected.tolist()
    assert {one.about for one in told.fakes} == {"swap"}


def test_the_matrix_is_the_same_turned_round() -> None:
    names = ["a", "b", "c"]
    told = pairs(judged_files(made(names, reals=200, fakes=200)), draws=20)
    rows = matrix(told, names)
    for at in range(3):
        assert rows[at][at] is None
        for other in range(at):
            one, turned = rows[at][other], rows[other][at]
            assert one is not None
            assert turned is not None
            assert one.sign == -turned.sign
            assert one.text.lstrip("+−") == turned.text.lstrip("+−")
    assert any(crossing and crossing.sign for line in rows for crossing in line)


def test_the_reliability_that_is_drawn_is_that_of_the_calibration_error() -> None:
    (files,) = judged_files(made(["a"], reals=150, fakes=100))
    parts = believed(files, 0)
    error = sum(part.bin.count * abs(part.bin.said - part.bin.fake) for part in parts) / 250
    assert error == pytest.approx(expected_calibration_error(files.fake, files.p[0]))
    assert all(part.low - 1e-9 <= part.bin.fake <= part.high + 1e-9 for part in parts)
    line = next(lines(made(["a"], reals=150, fakes=100), levels=[MEDIUM], groups=(), draws=1))
    assert line.summary is not None
    assert line.summary.calibration_error.value == pytest.approx(error)


def test_intervals_of_shares_are_wilson_s_and_widen_with_what_is_alike() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert effective(np.arange(12)) == 12
    assert effective(np.repeat(np.arange(4), 3)) == pytest.approx(4)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = Chromium(playwright)
        with chromium.at_most(100):
            yield chromium.browser()
            chromium.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_for_everybody_and_for_phones(browser: Browser, tmp_path: Path, scheme: Any) -> None:
    scores = made(["a", "b", "a model whose name is rather long for a phone_and_cannot_be_broken"],
                  degradations=["jpeg"], lost=lambda number: number == 3)  # fmt: skip
    path = tmp_path / "report.html"
    path.write_text(outcome(scores).page(), encoding="utf-8")
    # axe itself is a script, which the page's own policy refuses.
    context = browser.new_context(
        color_scheme=scheme, bypass_csp=True, viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    assert (asked, complaints) == ([path.as_uri()], [])
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    found: Any = Axe().run(page)
    serious = [one["id"] for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    assert serious == []
    context.close()


def test_the_policy_hides_nothing_of_the_page(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(outcome(made(["a"])).page(), encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    assert page.locator(".matrix, .forest").first.is_visible()
    assert page.locator(".axes").first.bounding_box()["width"] > 300
    assert complaints == []
    context.close()
