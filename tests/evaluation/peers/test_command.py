"""Any program behind a description: what it answers, and what becomes of it."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest
from tests.evaluation.peers.toml import toml

from unmask.errors import ModelError
from unmask.evaluation.peers import Peer, open_peer
from unmask.evaluation.peers.command import CommandPeer, CommandSettings
from unmask.types import Verdict


def judge_script(folder: Path, body: str) -> None:
    (folder / "judge.py").write_text(f"import json, os, sys, time\nfile = sys.argv[1]\n{body}\n")


def command_peer(folder: Path, body: str, **changes: object) -> Peer:
    """A peer whose program is Python, given as what it does with `file`."""
    judge_script(folder, body)
    settings: dict[str, object] = {
        "name": "program",
        "command": [sys.executable, "judge.py", "{file}"],
        "probability": "fake",
        "is": "fake",
        "timeout": 20,
    }
    (folder / "program.toml").write_text(toml({**settings, **changes}))
    return open_peer(f"command:{folder / 'program.toml'}")


@pytest.mark.parametrize(
    ("answer", "changes", "verdict", "probability"),
    [
        ({"fake": 0.75}, {}, Verdict.FAKE, 0.75),
        ({"fake": 0.5}, {}, Verdict.FAKE, 0.5),
        ({"fake": 0.25}, {}, Verdict.REAL, 0.25),
        ({"fake": 1}, {}, Verdict.FAKE, 1.0),
        ({"real": 0.75}, {"probability": "real", "is": "real"}, Verdict.REAL, 0.25),
        ({"a": {"b": 0.75}}, {"probability": "a.b"}, Verdict.FAKE, 0.75),
        ({"a": [0, {"p": 0.75}]}, {"probability": "a.1.p"}, Verdict.FAKE, 0.75),
        ({"a.b": 0.75, "a": {"b": 0}}, {"probability": "a.b"}, Verdict.FAKE, 0.75),
        ([0.75], {"probability": "0"}, Verdict.FAKE, 0.75),
    ],
)
def test_number_in_the_answer_becomes_p_fake(
    answer: object, changes: dict[str, object], verdict: Verdict, probability: float, tmp_path: Path
) -> None:
    peer = command_peer(tmp_path, f"print(json.dumps({answer!r}))", **changes)
    said = peer.judge(tmp_path / "judge.py")
    assert (peer.name, said.verdict, said.probability) == ("program", verdict, probability)
    assert said.faces == ()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('{}')", "there is no 'fake'"),
        ("print(json.dumps({'fake': float('nan')}))", "NaN"),
        ("print(json.dumps({'fake': float('inf')}))", "Infinity"),
        ("print(json.dumps({'fake': 97.0}))", r"97.0, which is not in \[0, 1\]"),
        ("print(json.dumps({'fake': -0.1}))", "not in"),
        ("print(json.dumps({'fake': '0.5'}))", "not a number"),
        ("print(json.dumps({'fake': True}))", "not a number"),
        ("print(json.dumps({'fake': None}))", "not a number"),
        ("print(json.dumps({'fake': [0.5]}))", "a list, not a number"),
        ("print('0.7 fake')", "not JSON"),
        ('print(\'{"fake": 0.7} {"fake": 0.1}\')', "not JSON"),
        ("print('[' * 100000)", "not JSON"),
        ("sys.stdout.buffer.write(bytes(range(128, 256)))", "not JSON"),
        ("pass", "not JSON"),
        ("print('{\"fake\": 1' + '0' * 10000 + '}')", "not"),
        ("print(json.dumps({'fake': 0.9})); sys.exit(3)", "exit code 3"),
        ("print(json.dumps({'fake': 0.9}), flush=True); os.kill(os.getpid(), 9)", "signal 9"),
        ("raise SystemExit('no \\x1b[31m GPU here')", r"exit code 1 \(it says: no \[31m GPU here\)"),
        ("print('x' * 3_000_000)", "printed more than"),
        ("sys.stderr.write('y' * 10_000_000); sys.exit(1)", "exit code 1"),
    ],
)
def test_answer_without_a_number_is_unreadable_with_the_reason(body: str, says: str, tmp_path: Path) -> None:
    said = command_peer(tmp_path, body).judge(tmp_path / "judge.py")
    assert (said.verdict, said.probability) == (Verdict.UNREADABLE, None)
    assert re.search(says, said.message), said.message
    assert len(said.message) < 600


@pytest.mark.parametrize(
    ("answer", "condition", "found"),
    [
        ({"faces": 0}, {"key": "faces", "is": 0}, False),
        ({"faces": []}, {"key": "faces", "is": []}, False),
        ({"r": {"error": "no face"}}, {"key": "r.error", "is": "no face"}, False),
        ({"fake": None}, {"key": "fake"}, False),
        ({"fake": 0.9, "faces": 2}, {"key": "faces", "is": 0}, True),
        ({"fake": 0.9, "faces": False}, {"key": "faces", "is": 0}, True),
        ({"fake": 0.9}, {"key": "faces", "is": 0}, True),
        ({"fake": 0.9}, {"key": "faces"}, True),
    ],
)
def test_no_face_is_said_where_its_condition_holds(
    answer: object, condition: dict[str, object], found: bool, tmp_path: Path
) -> None:
    peer = command_peer(tmp_path, f"print(json.dumps({answer!r}))", no_face=condition)
    said = peer.judge(tmp_path / "judge.py")
    assert said.verdict is (Verdict.FAKE if found else Verdict.NO_FACE)


@pytest.mark.parametrize("name", ["a b.png", "-rf", "$(touch gone)'\".png", "näme\n.png"])
def test_any_file_name_reaches_the_program_whole(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"1234")
    peer = command_peer(tmp_path, "print(json.dumps({'fake': os.path.getsize(file) / 8}))")
    assert peer.judge(tmp_path / name).probability == 0.5
    assert not (tmp_path / "gone").exists()


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


CHILD = """
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
open('child', 'w').write(str(child.pid))
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("after", "verdict"),
    [("time.sleep(60)", Verdict.TIMED_OUT), ("print(json.dumps({'fake': 0.9}))", Verdict.FAKE)],
    ids=["hangs", "leaves one behind"],
)
def test_nothing_that_the_program_started_outlives_it(after: str, verdict: Verdict, tmp_path: Path) -> None:
    began = time.monotonic()
    said = command_peer(tmp_path, CHILD + after, timeout=5).judge(tmp_path / "judge.py")
    assert said.verdict is verdict, said.message
    assert time.monotonic() - began < 15
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not is_running(child):
            return
        time.sleep(0.1)
    os.kill(child, 9)
    pytest.fail("it is still running")


def test_absent_file_is_unreadable_and_the_program_not_run(tmp_path: Path) -> None:
    said = command_peer(tmp_path, "open('ran', 'w')").judge(tmp_path / "absent.png")
    assert (said.verdict, said.probability) == (Verdict.UNREADABLE, None)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"command": ["judge"]}, r"(?s)where the file goes.*\{file\}"),
        ({"command": ["no-such-program", "{file}"]}, r"(?s)'no-such-program'.*hint"),
        ({"command": ["./judge.py", "{file}"]}, "may not be run"),
        ({"command": []}, "command"),
        ({"is": "likely"}, "is"),
        ({"is": None}, "`is`"),
        ({"timeout": 0}, "timeout"),
        (
            {"shell": True},
            r"(?s)unknown key 'shell'.*known: name, command, probability, is, timeout, no_face",
        ),
        ({"no_face": {"key": "a", "iz": 1}}, r"(?s)unknown key no_face.'iz'.*known: key, is"),
    ],
)
def test_wrong_description_of_a_program_is_an_error(
    changes: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=says):
        command_peer(tmp_path, "", **changes)


def test_description_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    for content in (b"name = ", b"\xff\xfe", b"a = " + b"[" * 50_000, b"#" * 100_000):
        (tmp_path / "p.toml").write_bytes(content)
        with pytest.raises(ModelError, match=r"p\.toml"):
            open_peer(f"command:{tmp_path / 'p.toml'}")


def test_program_beside_its_description_is_found(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\necho '{\"fake\": 0.125}'\n")
    script.chmod(0o755)
    settings = CommandSettings("sh", ("./run.sh", "{file}"), "fake", "fake")
    assert CommandPeer(settings, tmp_path).judge(script).probability == 0.125
