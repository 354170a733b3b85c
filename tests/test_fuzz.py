"""Scenario files by chance: any valid one runs with its books in order, and no damage to a file goes unnoticed."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from books import check_row, keep_books
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from worlds import FREE_RULES, LINES, a_third, budgets, read_parents_once, shipped, value_of

from cej_sim import nodes, reading, simulate
from cej_sim.authoring import schema
from cej_sim.metrics import NAMES
from cej_sim.parameters import Value
from cej_sim.scenario import COMMUNITY, GROUP, ISSUE, NETWORK, PARAMETERS, Scenario, value_problem

MONTHS = 12
SHIPPED = reading.shipped()
#: What may be extended: only one level is read.
PARENTS = tuple(name for name, path in SHIPPED.items() if "extends" not in reading.read(path).given)

# Valid files


class Draft(NamedTuple):
    """A file as text, and what it says of each parameter."""

    text: str
    values: dict[str, Value]
    extends: str | None


#: Texts that people could write; what stands at the ends is cut off by the reader.
WORDS = st.text(
    st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\ufeff"), min_size=1, max_size=20
).filter(lambda text: text.strip())
VOTES = tuple(f"governance.decide.votes.{bloc}" for bloc in ("residents", "institutions", "backbone"))


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """Any subset of keys with values within their bounds, in any style of writing."""
    extends = draw(st.none() | st.sampled_from(PARENTS))
    people = draw(st.integers(6, 40))
    values: dict[str, Value] = {
        "community.residents": people,
        "community.institutions": draw(st.integers(1, 8)),
        "community.organizers": draw(st.integers(0, 4)),
        "community.tables": draw(st.integers(0, 3)),
        "community.neighborhoods": draw(st.integers(0, 6)),
    }
    free = [p for p in (*COMMUNITY, *NETWORK, *FREE_RULES) if p.path not in values and p.path not in VOTES]
    free = [p for p in free if not p.path.startswith("governance.decide.strategy")]
    how_many = draw(st.sampled_from((0, 3, 20, 80, len(free))))
    for parameter in random.Random(draw(st.integers(0, 2**32))).sample(free, how_many):
        values[parameter.path] = draw(value_of(parameter))
    if draw(st.booleans()):
        values |= draw(budgets())
    if draw(st.booleans()):
        values |= dict(
            zip(VOTES, [draw(st.floats(0.01, 1.0)), *(draw(st.floats(0.0, 1.0)) for _ in "ab")], strict=True)
        )
    tree: dict[str, Any] = {"schema_version": 1, "name": "by_chance", "months": MONTHS}
    if extends:
        tree["extends"] = extends
    for key in ("label", "description"):
        if draw(st.booleans()):
            tree[key] = draw(WORDS)
    for path, value in values.items():
        *sections, name = path.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    if draw(st.booleans()):
        parts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
        tree["community"]["groups"] = [
            {"name": f"{draw(WORDS)} {i}", "share": part / sum(parts), **draw(some_of(GROUP[1:]))}
            for i, part in enumerate(parts)
        ]
    if draw(st.booleans()):
        tree["issues"] = [
            {"name": f"{draw(WORDS)} {i}", **draw(some_of(ISSUE))} for i in range(draw(st.integers(1, 6)))
        ]
    # What an extended scenario expects or orders later than the last month of this one would be a mistake.
    tree["events"] = draw(st.lists(events(), max_size=3))
    tree["expect"] = draw(st.lists(expectations(), max_size=2))
    about = [path for path in values if not path.startswith("network")]
    tree["reasons"] = {path: draw(WORDS) for path in draw(st.lists(st.sampled_from(about), max_size=3, unique=True))}
    return Draft(written(tree, draw(st.integers(0, 2**32))), values, extends)


@st.composite
def some_of(draw: st.DrawFn, parameters: tuple) -> dict[str, Value]:
    """Some of the numbers of a group or an issue."""
    chosen = draw(st.lists(st.sampled_from(parameters), unique_by=lambda p: p.path))
    return {p.path.rpartition(".")[2]: draw(value_of(p)) for p in chosen}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    free = [rule for rule in FREE_RULES if not rule.path.startswith("governance.decide.strategy")]
    chosen = draw(st.lists(st.sampled_from(free), min_size=1, max_size=3, unique_by=lambda rule: rule.path))
    # Somebody keeps a vote, whatever else is changed.
    changes = {rule.path: draw(st.floats(0.01, 1.0) if rule.path in VOTES else value_of(rule)) for rule in chosen}
    if draw(st.booleans()):
        changes[f"governance.decide.budget.{draw(st.sampled_from(LINES))}"] = draw(st.floats(0.0, 1.0))
    by = draw(st.sampled_from(("mandate", "motion")))
    return {"month": draw(st.integers(1, MONTHS)), "by": by, "set": changes}


@st.composite
def expectations(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "metric": draw(st.sampled_from(reading.PREDICTABLE)),
        "month": draw(st.integers(1, MONTHS)),
        "direction": draw(st.sampled_from(("up", "down"))),
        "against": draw(st.sampled_from(sorted(SHIPPED))),
    }


def written(tree: dict[str, Any], seed: int) -> str:
    """YAML of a tree in a style drawn by chance: block or braces, quotes, signs, comments, spaces, order of keys."""
    by_chance = random.Random(seed)

    def scalar(value: Value) -> str:
        if isinstance(value, bool):
            return by_chance.choice((str(value), str(value).lower(), str(value).upper()))
        if isinstance(value, int | float):
            text = repr(value)
            short = text[1:] if text.startswith("0.") else text
            return by_chance.choice((text, short, text if text.startswith("-") else f"+{text}"))
        if re.fullmatch("[a-z_]+", value) and value not in ("null", "true", "false"):
            return by_chance.choice((value, f"'{value}'", f'"{value}"'))
        double = json.dumps(value, ensure_ascii=False)
        return by_chance.choice((double, "'" + value.replace("'", "''") + "'"))

    def flow(value: Any) -> str:
        gap = " " * by_chance.randint(0, 2)
        if isinstance(value, dict):
            return f"{{{gap}{', '.join(f'{key}: {flow(part)}' for key, part in shuffled(value))}{gap}}}"
        if isinstance(value, list):
            return f"[{gap}{', '.join(map(flow, value))}{gap}]"
        return scalar(value)

    def shuffled(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
        items = list(mapping.items())
        by_chance.shuffle(items)
        return items

    def block(value: Any, indent: int) -> Iterator[str]:
        space = " " * indent
        step = by_chance.randint(1, 4)
        for key, part in shuffled(value):
            comment = by_chance.choice(("", "", "  # why", " #"))
            inside = not part or by_chance.random() < 0.3
            if isinstance(part, dict | list) and not inside:
                yield f"{space}{key}:{comment}"
                if isinstance(part, dict):
                    yield from block(part, indent + step)
                else:
                    for item in part:
                        lines = list(block(item, indent + step + 2))
                        yield f"{' ' * (indent + step)}- {lines[0].lstrip()}"
                        yield from lines[1:]
            else:
                yield f"{space}{key}: {' ' * by_chance.randint(0, 3)}{flow(part)}{comment}"
            if by_chance.random() < 0.05:
                yield by_chance.choice(("", "# a remark", f"{space}  # {key}: 1"))

    return by_chance.choice(("\n", "\r\n")).join(["# by chance", *block(tree, 0), ""])


def check_valid(draft: Draft, seed: int, folder: Path) -> None:
    file = folder / "by_chance.yaml"
    file.write_bytes(draft.text.encode())
    found = reading.read(file)
    assert found.problems == []
    scenario = found.scenario
    assert isinstance(scenario, Scenario)
    base = shipped(draft.extends).values if draft.extends else {}
    for path, parameter in PARAMETERS.items():
        wanted = draft.values.get(path, base.get(path, parameter.default))
        assert scenario[path] == wanted, path
    keep_books(scenario, seed)
    frame = simulate(scenario, runs=1, seed=seed, threads=1).monthly
    assert frame["month"].tolist() == list(range(MONTHS + 1))
    for row in frame[list(NAMES)].to_numpy():
        check_row(row)


#: No example is shrunk: a file that fails is short enough, and the search for a shorter one takes minutes.
HOW = {
    "derandomize": True,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": list(HealthCheck),
}


@given(draft=drafts(), seed=st.integers(0, 10**6))
@settings(max_examples=25, **HOW)
def test_any_valid_file_runs(draft, seed, tmp_path_factory):
    check_valid(draft, seed, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@pytest.mark.long
@given(draft=drafts(), seed=st.integers(0, 10**6))
@settings(max_examples=1000, **HOW)
def test_thousands_of_valid_files_run(draft, seed, tmp_path_factory):
    check_valid(draft, seed, tmp_path_factory.getbasetemp())


# Damaged files

#: The longest that reading may take, seconds; it takes about a hundredth of that.
LONGEST = 5.0
#: What YAML gives a meaning to, what looks alike, what nobody sees, and what editors leave behind.
STRANGE = (
    "\t", "'", '"', "{", "}", "[", "]", ":", ": ", ",", "#", "&a ", "*a", "!", "!!python/object:os.system ", "|", ">",
    "%", "@", "`", "---", "\n---\n", "...", "? ", "- ", "<<: ", "~", "null", "\\", "\r", "\u0000", "\u0007", "\ufeff",
    "\u00a0", "\u200b", "\u202e", "\u2028", "\u0085", "\ud7ff", "\uffff", "é", "０", "−", "…", "😀", "yes", "0x10",
    "1e999", "-1", "1.5", "101", "99999999999999999999", ".inf", ".nan", "50%", "0,5", "1_000", "2016-01-01",
    "12:30:45",
)  # fmt: skip
FILES = tuple(path.read_bytes() for path in SHIPPED.values())


def damage_bytes(content: bytes, by_chance: random.Random) -> bytes:
    """The content with one thing done to its bytes."""
    at = by_chance.randrange(len(content) + 1)
    end = min(len(content), at + by_chance.choice((1, 1, 2, 8, 64)))
    return by_chance.choice(
        (
            content[:at] + bytes([by_chance.randrange(256)]) + content[at + 1 :],
            content[:at] + bytes([by_chance.randrange(256)]) + content[at:],
            content[:at] + content[end:],
            content[:at] + content[at:end] * 2 + content[end:],
            content[:at] + content[at:end] * by_chance.choice((10, 300)) + content[end:],
            content[:at],
            content[at:],
        )
    )


def damage_tokens(content: bytes, by_chance: random.Random) -> bytes:
    """The content with one thing done to its lines or words."""
    lines = content.decode("utf-8", "replace").split("\n")
    row = by_chance.randrange(len(lines))
    other = by_chance.randrange(len(lines))
    what = by_chance.randrange(11)
    words = re.split(r"([ :,{}\[\]]+)", lines[row])
    word = by_chance.randrange(len(words))
    if what == 0:
        del lines[row]
    elif what == 1:
        lines.insert(other, lines[row])
    elif what == 2:
        lines[row], lines[other] = lines[other], lines[row]
    elif what == 3:
        lines[row] = " " * by_chance.randrange(9) + lines[row].lstrip()
    elif what == 4:
        lines[row] = lines[row].replace("  ", "\t", 1)
    elif what == 5:
        del words[word]
        lines[row] = "".join(words)
    elif what == 6:
        words.insert(word, words[by_chance.randrange(len(words))])
        lines[row] = "".join(words)
    elif what == 7:
        words[word] = by_chance.choice(STRANGE)
        lines[row] = "".join(words)
    elif what == 8:
        at = by_chance.randrange(len(lines[row]) + 1)
        times = by_chance.choice((1, 1, 1, 1, 3, 2000))
        lines[row] = lines[row][:at] + by_chance.choice(STRANGE) * times + lines[row][at:]
    elif what == 9:
        numbers = list(re.finditer(r"[0-9.]+", lines[row]))
        if numbers:
            number = by_chance.choice(numbers)
            wrong = by_chance.choice(
                ("-1", "1e9", "1e-400", "7.5", "99999999", "9" * 400, "0x1", "1.2.3", "true", "''")
            )
            lines[row] = lines[row][: number.start()] + wrong + lines[row][number.end() :]
    else:
        lines.insert(row, f"{' ' * by_chance.randrange(5)}{by_chance.choice(list(reading._SECTIONS_OF))}: 1")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def unknown_keys(data: Any, known: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """Keys that the schema does not know, in data that another reader of YAML has read."""
    if "$ref" in known:
        known = definitions[known["$ref"].removeprefix("#/$defs/")]
    if isinstance(data, dict):
        properties = known.get("properties", {})
        for key, value in data.items():
            if str(key) in properties:
                yield from unknown_keys(value, properties[str(key)], definitions)
            elif not isinstance(known.get("additionalProperties", False), dict):
                yield str(key)
    elif isinstance(data, list):
        for item in data:
            yield from unknown_keys(item, known.get("items", {}), definitions)


SCHEMA = schema()


def check_answer(content: bytes, folder: Path) -> bool:
    """What is said of a file, whatever is in it; returns whether it is a scenario."""
    file = folder / "damaged.yaml"
    file.write_bytes(content)
    started = time.process_time()
    found = reading.read(file)
    assert time.process_time() - started < LONGEST
    assert (found.scenario is None) == bool(found.problems)
    lines = content.count(b"\n") + content.count(b"\r") + content.count(b"\x85") + content.count(b"\xe2\x80\xa8") + 2
    for problem in found.problems:
        shown = str(problem)
        assert shown.isprintable(), shown
        assert shown.startswith(f"{file}:")
        assert problem.message.strip()
        assert len(shown) < 2500
        assert 0 <= problem.line <= lines
        assert problem.line > 0 or problem.path == ""
    if found.scenario is None:
        return False
    for path, value in found.scenario.values.items():
        assert value_problem(PARAMETERS[path], value) is None, path
    text = content.decode("utf-8-sig")
    data = YAML(typ="safe", pure=True).load(text)
    assert list(unknown_keys(data, SCHEMA, SCHEMA["$defs"])) == []
    for path, value in found.scenario.values.items():
        said = data
        for key in path.split("."):
            said = said.get(key) if isinstance(said, dict) else None
        assert said is None or PARAMETERS[path].encode(said) == PARAMETERS[path].encode(value), path
    for key, items in (("issues", found.scenario.issues), ("events", found.scenario.events)):
        assert key not in data or len(data[key]) == len(items), key
    return True


def check_damage(seeds: range, folder: Path) -> None:
    """Damage a file by each seed, and see that some of it was noticed and some did no harm."""
    sound = 0
    for seed in seeds:
        by_chance = random.Random(seed)
        content = by_chance.choice(FILES)
        for _ in range(by_chance.choice((1, 1, 2, 5))):
            content = by_chance.choice((damage_bytes, damage_tokens, damage_tokens))(content, by_chance)
        try:
            sound += check_answer(content, folder)
        except Exception as error:
            error.add_note(f"seed {seed}: {content!r}")
            raise
    assert 0 < sound < len(seeds)


def test_damage_is_noticed(tmp_path):
    check_damage(range(150), tmp_path)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_any_damage_is_noticed(part, tmp_path, monkeypatch):
    read_parents_once(monkeypatch)
    check_damage(range(1_000_000 * (part + 1), 1_000_000 * (part + 1) + 3000), tmp_path)


# Misspelt keys


class Key(NamedTuple):
    """A key of a file: where it stands, how deep, under which others, and the keys beside it."""

    line: int
    column: int
    depth: int
    above: tuple[str, ...]
    word: str
    beside: frozenset[str]


def keys_of(node: reading.Node, depth: int = 0, above: tuple[str, ...] = ()) -> Iterator[Key]:
    if isinstance(node, reading.MapNode):
        beside = frozenset(key.text for key, _ in node.items)
        for key, value in node.items:
            yield Key(key.place.line, key.place.column, depth, above, key.text, beside)
            yield from keys_of(value, depth + 1, (*above, key.text))
    elif isinstance(node, reading.ListNode):
        for item in node.items:
            yield from keys_of(item, depth + 1, above)


def misspelt(word: str) -> list[str]:
    """Ways in which people write a word wrong."""
    half = len(word) // 2
    ways = [
        word[:half] + word[half + 1 :],
        word[:half] + word[half] + word[half:],
        word[: half - 1] + word[half] + word[half - 1] + word[half + 1 :],
        word.upper(),
        f"{word}s",
        f"{word}_",
        word.replace("_", "-").replace(".", "-"),
        word.replace("_", " ").replace(".", ": ") if "." in word else f"x{word}",
    ]
    return [way for way in dict.fromkeys(ways) if way != word and ": " not in way]


def renamed(text: str, keys: list[Key], words: list[str]) -> str:
    """The text with other words for these keys."""
    lines = text.split("\n")
    for key, word in sorted(zip(keys, words, strict=True), reverse=True):
        line = lines[key.line - 1]
        start = key.column - 1
        assert line[start:].startswith(key.word)
        lines[key.line - 1] = line[:start] + word + line[start + len(key.word) :]
    return "\n".join(lines)


def check_renamed(text: str, keys: list[Key], words: list[str], folder: Path) -> None:
    file = folder / "renamed.yaml"
    file.write_text(renamed(text, keys, words), encoding="utf-8")
    found = reading.read(file)
    said = {(problem.line, problem.path.rpartition(".")[2]) for problem in found.problems}
    for key, word in zip(keys, words, strict=True):
        assert (key.line, word.rpartition(".")[2]) in said, (key, word)


@pytest.mark.parametrize("name", a_third(SHIPPED))
def test_every_misspelt_key_is_reported_at_its_line(name, tmp_path):
    """All keys of one depth at once: a section that is not known hides what stands in it."""
    text = SHIPPED[name].read_text(encoding="utf-8")
    keys = list(keys_of(nodes.parse(text, name)))
    assert keys
    for depth in {key.depth for key in keys}:
        here = [key for key in keys if key.depth == depth]
        check_renamed(text, here, [misspelt(key.word)[0] for key in here], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_every_key_misspelt_in_every_way_is_reported(part, tmp_path, monkeypatch):
    """Each in the first of the shipped files that has it in this place."""
    read_parents_once(monkeypatch)
    found: dict[tuple[str, ...], tuple[str, Key]] = {}
    for path in SHIPPED.values():
        text = path.read_text(encoding="utf-8")
        for key in keys_of(nodes.parse(text, path.name)):
            found.setdefault((*key.above, key.word), (text, key))
    assert len(found) > 100
    for text, key in list(found.values())[part::6]:
        for word in misspelt(key.word):
            check_renamed(text, [key], [word], tmp_path)


# Numbers out of bounds


@pytest.mark.parametrize("name", SHIPPED)
def test_every_number_out_of_bounds_is_reported_at_its_place(name, tmp_path):
    found = reading.read(name)
    lines = SHIPPED[name].read_text(encoding="utf-8").split("\n")
    numbers = {
        path: place
        for path, place in found.places.items()
        if path in PARAMETERS and not PARAMETERS[path].choices and Path(place.file).name == SHIPPED[name].name
    }
    for path, place in sorted(numbers.items(), key=lambda item: item[1].column, reverse=True):
        line, start = lines[place.line - 1], place.column - 1
        wrong = f"{PARAMETERS[path].high * 1.01 + 1:.0f}"
        lines[place.line - 1] = line[:start] + re.sub(r"^[-+.\w]+", wrong, line[start:])
    file = tmp_path / "numbers.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    said = {(problem.line, problem.path) for problem in reading.read(file).problems}
    assert {(place.line, path) for path, place in numbers.items()} <= said
