"""The tutorial works: its steps are done in order as it tells them, and what it shows is what comes out."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from cej_sim import cli, reading
from cej_sim.reading import FILE

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "scenarios" / "README.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    """A fenced block: its language, the file that it is about, the comment line before it, its text."""

    language: str
    file: str
    marker: str
    text: str


BLOCKS = [
    Block(language, file, marker, text)
    for marker, language, file, text in re.findall(
        r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)(?: (\S+))?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
    )
]


def stripped(text: str) -> list[str]:
    """Lines without the spaces at their ends, and without empty lines."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def holds(shown: str, told: str) -> bool:
    """Whether an output is what the tutorial tells; a line ``...`` stands for any number of lines."""
    parts = "\n".join(stripped(told)).split("...")
    pattern = r"(?:.*\n)?".join(re.escape(part.strip("\n")) + ("\n" if part.strip("\n") else "") for part in parts)
    return re.fullmatch(pattern, "\n".join([*stripped(shown), ""]), re.DOTALL) is not None


def numbers(line: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in re.findall(r"[+−]?[0-9]+(?:[.][0-9]+)?", line)]


def is_near(line: str, told: str) -> bool:
    """Whether a row of results says the same in words, and in numbers up to what another computer may change."""
    words, wanted = (re.sub(r"[+−]?[0-9]+(?:[.][0-9]+)?|\s+", "", text) for text in (line, told))
    near = zip(numbers(line), numbers(told), strict=True) if words == wanted else ()
    return words == wanted and all(abs(a - b) <= max(1.0, 0.2 * abs(b)) for a, b in near)


def act(command: str, capsys: pytest.CaptureFixture[str], fails: bool) -> str:
    """Do one line of a shell block in the current directory; returns what it showed."""
    words = shlex.split(command)
    assert words[0] == "cej-sim"
    assert cli.status(words[1:]) == (2 if fails else 0), command
    shown = capsys.readouterr()
    return shown.err if fails else shown.out


@pytest.mark.slow
def test_the_tutorial_from_beginning_to_end(tmp_path, monkeypatch, capsys):
    assert len(re.findall(r"^```", TEXT, re.MULTILINE)) == 2 * len(BLOCKS)
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    monkeypatch.chdir(tmp_path)
    done, compared, shown = [], 0, ""
    for block in BLOCKS:
        file = tmp_path / block.file
        if block.language == "sh":
            shown = ""
            for line in block.text.splitlines():
                before = shown
                shown = act(line, capsys, block.marker == "fails")
                assert shown != before
                done.append(line.split()[1])
        elif block.language == "diff":
            old, new = ("\n".join(re.findall(rf"^[{sign}](.*)$", block.text, re.MULTILINE)) for sign in "-+")
            text = file.read_text(encoding="utf-8")
            assert text.count(f"{old}\n") == 1
            file.write_text(text.replace(old, new), encoding="utf-8")
        elif block.language == "yaml":
            text = file.read_text(encoding="utf-8") if block.marker == "append" else ""
            file.write_text(text + block.text, encoding="utf-8")
        elif block.marker == "excerpt":
            rows = stripped(shown)
            for told in stripped(block.text):
                assert any(is_near(row, told) for row in rows), told
            compared += 1
        elif done:
            assert holds(shown, block.text), shown
            compared += 1
        else:  # what a file looks like
            shipped = (ROOT / "scenarios" / "community_led.yaml").read_text(encoding="utf-8")
            assert all(line in shipped for line in block.text.splitlines())
    assert {"new", "check", "explain", "diff", "run", "compare"} == set(done)
    assert compared >= 8


def test_what_is_told_is_really_compared():
    assert holds("a\nb\n\nc\n", "a\n...\nc\n")
    assert holds("a\nb\nc\n", "...\nb\n...\n")
    assert not holds("a\nb\nc\n", "a\nb\n")
    assert not holds("a\nb\nc\n", "a\n...\nd\n")
    assert not holds("a\nb\nc\n", "...\nx\n...\n")
    assert is_near(" Speed  10.0% [1, 2] better", " Speed 10.5% [1, 2]    better")
    assert not is_near(" Speed  10.0% [1, 2] better", " Speed 15.0% [1, 2] better")
    assert not is_near(" Speed  10.0% [1, 2] better", " Speed 10.0% [1, 2] cannot tell")


def test_every_shipped_scenario_is_listed_with_a_line():
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.yaml\) \| ([^|]{20,110}) \|$", TEXT, re.MULTILINE)
    assert [name for name, _, _ in rows] == [file for _, file, _ in rows] == list(reading.shipped())


def test_every_section_of_a_file_is_told():
    head = TEXT.split("| section |")[1].split("\n\n")[0]
    told = set(re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in head.splitlines()[1:] if "|" in line)))
    assert set(FILE.keys) - told == {"schema_version", "extends", "months", "coefficients"}


def test_links_lead_somewhere():
    places = re.findall(r"\]\(([^)\s]+)\)", TEXT)
    assert len(places) > 25
    assert [place for place in places if not (ROOT / "scenarios" / place).exists()] == []
