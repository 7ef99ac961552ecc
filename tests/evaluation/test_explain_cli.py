"""`unmask explain`: files and labelled media as pages, JSON and pictures, or an error that says why."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluation.test_explain import SIDE, make_patched
from tests.evaluation.test_measure import folder
from tests.report.test_html import LOADING, Page
from tests.test_front import modules_after

from unmask.cli import main
from unmask.evaluation.explain import cutting, pictures, words
from unmask.evaluation.explain.cutting import Cutter
from unmask.evaluation.explain.file import explain_file
from unmask.faces.crop import CropSpec
from unmask.options import ScanOptions
from unmask.scanner import Scanner

__all__ = ["folder", "make_patched"]

Call = Callable[..., tuple[int, str, str]]
Make = Callable[..., Path]

HOSTILE = "<img src=x onerror=alert(1)>\u202egpj.png"


@pytest.fixture
def unmask(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `unmask explain ARGUMENTS` in this process: (exit code, standard output, standard error)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(["explain", *(str(argument) for argument in arguments)])
        told = capsys.readouterr()
        return int(exit_.value.code or 0), told.out, told.err

    return call


def check_page(html: str) -> Page:
    """The page needs nothing but itself, and a reader without eyes is told what is drawn."""
    page = Page(html)
    assert "http://" not in html
    assert "https://" not in html
    assert not re.search(r"url\((?!#)|@import", html)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in LOADING & attributes.keys():
            assert str(attributes[name]).startswith(("data:image/jpeg;base64,", "#"))
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg" and attributes.get("role") == "img":
            assert attributes["aria-label"]
    names = [tag for tag, _ in page.tags]
    assert (names.count("h1"), names.count("main"), names.count("header"), names.count("footer")) == (1,) * 4
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "prefers-color-scheme: dark" in html
    return page


# One file


def test_file_becomes_page_figures_and_pictures(
    unmask: Call, make_model: Make, photo_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    code, told, _ = unmask(make_model(), photo_path, "--out", out)
    assert code == 0
    assert "evidence:" in told
    assert "against" in told
    assert {path.name for path in out.iterdir()} == {
        "explain.html", "explain.json", "face1-crop.png", "face1-evidence.png", "face1-occlusion.png",
    }  # fmt: skip
    page = check_page((out / "explain.html").read_text())
    assert "astronaut.png" in page.text
    assert str(photo_path.parent) not in page.text
    assert words.PRIVACY in page.text
    document = json.loads((out / "explain.json").read_text())
    (face,) = document["faces"]
    assert [len(face["checks"]), len(face["curves"])] == [8, 16]
    assert {check["holds"] for check in face["checks"]} <= {True, False}
    rows = next(map_["rows"] for map_ in face["maps"] if map_["name"] == "evidence")
    odds = np.log(face["probability"] / (1 - face["probability"]))
    assert np.mean(rows) == pytest.approx(odds, abs=0.01)
    assert str(photo_path.parent) not in (out / "explain.json").read_text()
    crop = cv2.imread(str(out / "face1-crop.png"))
    assert crop is not None
    assert crop.shape == (32, 32, 3)


def test_outcome_is_the_same_every_time(
    unmask: Call, make_model: Make, photo_path: Path, tmp_path: Path
) -> None:
    model = make_model()
    for name in "ab":
        assert unmask(model, photo_path, "--out", tmp_path / name)[0] == 0
    for first in (tmp_path / "a").iterdir():
        assert first.read_bytes() == (tmp_path / "b" / first.name).read_bytes()


def test_json_is_all_that_is_printed(unmask: Call, make_model: Make, photo_path: Path) -> None:
    code, told, _ = unmask(make_model(), photo_path, "--json", "--map", "occlusion", "--map", "rise")
    assert code == 0
    (face,) = json.loads(told)["faces"]
    assert [map_["name"] for map_ in face["maps"]] == ["occlusion", "rise"]
    assert -1 <= face["agreement"] <= 1


def test_explained_crop_is_exactly_what_the_scan_judged(make_model: Make, video_path: Path) -> None:
    told, crops = explain_file(str(make_model()), video_path, frames=4, maps=("evidence",))
    report = Scanner(ScanOptions(model=(str(make_model()),), frames=4)).scan(video_path)
    scanned = {face.frame: face.probability for track in report.tracks for face in track.judged}
    assert len(told.faces) == 2
    for face, crop in zip(told.faces, crops, strict=True):
        assert face.probability == pytest.approx(scanned[face.frame], abs=1e-4)
        # The toy model's score is the crop's mean.
        odds = (crop.mean() - 128) / 16
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(scanned[face.frame], abs=1e-4)


def test_faces_beyond_those_kept_are_cut_in_a_second_look(
    make_model: Make, video_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for kept in (cutting.KEPT, 1):
        monkeypatch.setattr(cutting, "KEPT", kept)
        cutter = Cutter(Scanner(ScanOptions(model=(str(make_model()),), frames=4)))
        report = cutter.scan(video_path)
        found.append(cutter.crops(video_path, report.tracks[0].judged))
    assert len(found[0]) == 4
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_model_without_evidence_is_explained_by_its_score_alone(
    unmask: Call, make_patched: Make, photo_path: Path, tmp_path: Path
) -> None:
    model = make_patched(evidence=False, crop=CropSpec(SIDE, 1.25))
    code, told, _ = unmask(model, photo_path, "--out", tmp_path / "out")
    assert code == 0
    assert words.NO_EVIDENCE in told
    assert "evidence:" not in told
    assert words.NO_EVIDENCE in check_page((tmp_path / "out" / "explain.html").read_text()).text


def test_hostile_file_name_is_text_and_visible(
    unmask: Call, make_model: Make, photo_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / HOSTILE
    shutil.copy(photo_path, path)
    code, told, _ = unmask(make_model(), path, "--out", tmp_path / "out", "--map", "evidence")
    assert code == 0
    html = (tmp_path / "out" / "explain.html").read_text()
    assert "<img src=x" not in html
    assert "\u202e" not in html + told
    assert "<img src=x onerror=alert(1)>\\u202egpj.png" in check_page(html).text


def test_explaining_a_file_needs_neither_torch_nor_the_lab(make_model: Make, photo_path: Path) -> None:
    arguments = ["explain", str(make_model()), str(photo_path), "--map", "evidence"]
    code = (
        f"import unmask.cli\ntry: unmask.cli.main({arguments!r})\nexcept SystemExit as e: assert not e.code"
    )
    assert not modules_after(code) & {"torch", "sklearn", "polars", "pandas", "onnx", "matplotlib", "scipy"}


# What goes wrong


def test_errors_say_what_and_what_to_do(
    unmask: Call, make_model: Make, photo_path: Path, tmp_path: Path
) -> None:
    model = make_model()
    grey = tmp_path / "grey.png"
    cv2.imwrite(str(grey), np.full((200, 200, 3), 128, np.uint8))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        ((model, grey), "grey.png: no face was found"),
        ((model, broken), "broken.mp4: "),
        ((model, tmp_path / "absent.png"), "absent.png: "),
        (("nonesuch", photo_path), "there is no model 'nonesuch'"),
        ((model, photo_path, "--map", "dream"), "no map called 'dream'"),
        ((model, "--on", tmp_path / "empty"), "holds no"),
        ((model, "--on", tmp_path / "absent.csv"), "cannot be read"),
        ((model, photo_path, "--out", grey), "is a file"),
        ((model,), "give a FILE, or --on MEDIA"),
        ((model, photo_path, "--on", tmp_path), "give a FILE, or --on MEDIA"),
        ((model, photo_path, "--limit", 3), "go with --on"),
        (("onnx:absent.toml", photo_path), "absent.toml"),
    ):
        code, _, told = unmask(*arguments)
        assert (code, said in told, "Traceback" in told) == (2, True, False), told


def test_program_of_others_cannot_be_asked_about_parts_of_a_face(
    unmask: Call, photo_path: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "other.toml"
    settings.write_text('name = "other"\ncommand = ["true", "{file}"]\n')
    code, _, told = unmask(f"command:{settings}", photo_path)
    assert code == 2
    assert "error" in told


# Labelled media


def test_media_become_means_by_method(unmask: Call, make_model: Make, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, told, _ = unmask(make_model(), "--on", folder, "--out", out, "--workers", 1)
    assert code == 0
    assert "real: 3 faces of 3 recordings; 1 of 4 not judged" in told
    assert "NO_FACE" in told
    assert "– evidence: too few recordings for intervals (3 of at least 5)" in told
    assert {path.name for path in out.iterdir()} == {"explain.html", "explain.json", "maps.png"}
    page = check_page((out / "explain.html").read_text())
    assert words.PRIVACY in page.text
    document = json.loads((out / "explain.json").read_text())
    real, fake = document["groups"]
    assert (real["name"], real["fake"], fake["fake"]) == ("real", False, True)
    assert real["odds"] < 0 < fake["odds"]
    assert np.mean(fake["maps"][0]["rows"]) == pytest.approx(fake["odds"], abs=1e-3)
    assert len(fake["checks"]) == 8
    assert fake["checks"][0]["area"]["low"] is None
    sheet = cv2.imread(str(out / "maps.png"))
    assert sheet is not None
    assert sheet.shape[0] > 2 * 240


def test_means_show_nobody(
    make_model: Make, unmask: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[NDArray[np.uint8]] = []
    over = pictures.overlay

    def spied(crop: NDArray[np.uint8], *rest: Any) -> NDArray[np.uint8]:
        drawn.append(crop)
        return over(crop, *rest)

    monkeypatch.setattr(pictures, "overlay", spied)
    out = tmp_path / "out"
    assert unmask(make_model(), "--on", folder, "--out", out, "--workers", 1, "--map", "evidence")[0] == 0
    assert drawn
    assert all(np.array_equal(crop, pictures.outline(CropSpec(32, 1.25))) for crop in drawn)


def test_hostile_method_is_text(unmask: Call, make_model: Make, folder: Path, tmp_path: Path) -> None:
    method = "<img src=x onerror=alert(1)>"
    table = folder.with_suffix(".csv")
    table.write_text(
        "file,label,kind,dataset,method\n"
        f"fake/0.png,fake,image,one,{method}\nreal/0.png,real,image,one,\nreal/1.png,real,image,one,\n"
    )
    out = tmp_path / "out"
    arguments = ("--on", table, "--out", out, "--workers", 1, "--map", "evidence", "--limit", 1)
    code, told, _ = unmask(make_model(), *arguments)
    assert code == 0
    assert "1 were beyond the limit" in told
    html = (out / "explain.html").read_text()
    assert "<img src=x" not in html
    assert method in check_page(html).text


def test_media_without_any_face_are_an_error(
    unmask: Call, make_model: Make, tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    for label in ("real", "fake"):
        (tmp_path / "media" / label).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "media" / label / "grey.png"), np.full((200, 200, 3), 128, np.uint8))
    code, _, told = unmask(make_model(), "--on", tmp_path / "media", "--workers", 1)
    assert code == 2
    assert "2 NO_FACE" in told
