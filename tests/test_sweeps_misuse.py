"""What people do to sweeps, and ask of them, that must be told in a line and must not destroy anything."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import cells as computing
import pandas as pd
import pyarrow.parquet as pq
import pytest
import test_sweeps_engine as engine
from test_sweeps_design import POLES, made
from test_sweeps_engine import DESIGN, SMALL, filled, grid, refused, started

import cej_sim
from cej_sim import cli, provenance
from cej_sim.sweeps import crew, runner, store
from cej_sim.sweeps.design import Plan
from cej_sim.sweeps.reading import DesignError, read_design
from cej_sim.sweeps.store import Shard, Sweep, SweepError, SweepFailure

here = engine.here  # a directory with two scenarios and a design of four cells


def failing(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that a command says which gives way."""
    assert cli.status(arguments) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err.splitlines()[-1]


def names(of: Path) -> set[str]:
    return {str(path.relative_to(of)) for path in of.rglob("*")}


# Where results go


def test_a_detour_leads_to_nobody_else_s_files(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/design.yaml").write_text("years of work")
    before = names(here)
    for command in (
        ["sweep", "design.yaml", "--out", "mine/new/.."],
        ["sweep", "design.yaml", "--out", "mine/new/..", "--dry-run"],
        ["run", "old.yaml", "--out", "mine/new/.."],
        ["compare", "old.yaml", "new.yaml", "--out", "mine/new/.."],
    ):
        assert "mine holds files that are not results" in refused(*command, capsys=capsys)
    filled("s1", grid(3), shard=Shard(1, 2))
    assert "mine holds files" in refused("merge", "s1", "--out", "mine/new/..", capsys=capsys)
    assert "s1 is one of the directories" in refused("merge", "s1", "--out", "s1/new/..", capsys=capsys).replace(
        "s1/new/..", "s1"
    )
    with pytest.raises(provenance.OutputError):
        provenance.write("mine/new/..", {"software": provenance.SOFTWARE}, {})
    assert cli.status(["new", "mine/new/../design.yaml"]) == 2
    assert cli.status(["compare", "old.yaml", "new.yaml", "--bundle", "mine/new/../b.zip"]) == 2
    assert {name for name in names(here) if not name.startswith("s1")} == before
    assert Path("mine/design.yaml").read_text() == "years of work"


def test_a_sweep_is_named_by_the_folder_that_its_design_lies_in(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "my-study" / "below").mkdir(parents=True)
    for name in ("old.yaml", "new.yaml", "design.yaml"):
        (here / name).rename(here / "my-study" / name)
    monkeypatch.chdir(here / "my-study" / "below")
    design = read_design("../design.yaml")
    assert design.name == "small"
    Path("../design.yaml").write_text(DESIGN.replace("name: small\n", ""))
    assert read_design("../design.yaml").name == "my_study"
    monkeypatch.setitem(runner.sweep.__kwdefaults__, "compute", computing.cheap)
    assert cli.status(["sweep", "../design.yaml", "--workers", "1"]) == 0
    assert Sweep("results/my_study").ledger.counts() == (4, 0)
    assert names(Path("results")) >= {"my_study"}
    odd = here / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    for name in ("old.yaml", "new.yaml", "design.yaml"):
        (odd / name).write_text((here / "my-study" / name).read_text())
    assert read_design(odd / "design.yaml").name == "caf"


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_that_are_not_utf_8(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsdecode(b"caf\xe9")
    assert "the name is not in UTF-8" in refused("sweep", "design.yaml", "--out", odd, capsys=capsys)
    assert not Path(odd).exists()
    Path(odd).mkdir()
    for name in ("old.yaml", "new.yaml", "design.yaml"):
        Path(name).rename(Path(odd) / name)
    monkeypatch.chdir(odd)
    monkeypatch.setitem(runner.sweep.__kwdefaults__, "compute", computing.cheap)
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--workers", "1"]) == 0
    assert Sweep("out").cells["status"].tolist() == ["done"] * 4


# The ledger


def test_rows_without_a_ledger_are_not_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    filled("out", engine.cej_sim_design(), [0, 1, 2, 3])
    ledger = Path("out") / store.LEDGER
    kept, content = names(Path("out")), ledger.read_bytes()
    other = Path("other.yaml")
    other.write_text(DESIGN.replace("runs: 2", "runs: 3"))
    for damage in (ledger.unlink, lambda: ledger.write_bytes(b"")):
        damage()
        for command in (
            ["sweep", "other.yaml", "--out", "out"],
            ["sweep", "design.yaml", "--out", "out"],
            ["sweep", "design.yaml", "--out", "out", "--dry-run"],
            ["merge", "out", "--out", "m"],
            ["retry", "out"],
            ["analyze", "out"],
        ):
            assert "its ledger (ledger.sqlite) is missing or empty" in refused(*command, capsys=capsys)
        assert names(Path("out")) | {store.LEDGER} == kept | ({store.LOCK} & names(Path("out")))
        ledger.write_bytes(content)
    assert Sweep("out").ledger.counts() == (4, 0)
    # So also where only the provenance tells that it was begun.
    Path("begun").mkdir()
    (Path("begun") / provenance.FILE).write_text('{"software": "cej_sim", "kind": "sweep", "design_hash": "ab"}')
    assert "missing or empty" in refused("sweep", "design.yaml", "--out", "begun", capsys=capsys)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE about SET value = '{' WHERE name = 'design'",
        "UPDATE about SET value = '{}' WHERE name = 'design'",
        "UPDATE about SET value = CAST(x'ff22' AS TEXT) WHERE name = 'design_hash'",
        "UPDATE about SET value = '[1, 2, 3]' WHERE name = 'shard'",
        "DELETE FROM about WHERE name = 'shard'",
        "UPDATE parts SET first = 'x'",
    ],
)
def test_a_ledger_that_makes_no_sense(statement: str, capsys: pytest.CaptureFixture[str]) -> None:
    filled("out", engine.cej_sim_design(), [0, 1])
    ledger = store.Ledger(Path("out"))
    with ledger.transaction() as connection:
        connection.execute(statement)
    ledger.close()
    for command in (["sweep", "design.yaml", "--out", "out"], ["reproduce", "out", "0"], ["analyze", "out"]):
        if statement.startswith("UPDATE parts") and command[0] == "reproduce":
            continue  # which does not look at it before it has computed the cell
        assert "ledger.sqlite is damaged" in failing(*command, capsys=capsys)


def test_a_lock_that_cannot_be_opened(capsys: pytest.CaptureFixture[str]) -> None:
    (Path("out") / store.LOCK).mkdir(parents=True)
    said = failing("sweep", "design.yaml", "--out", "out", capsys=capsys)
    assert f"out/{store.LOCK} is a directory" in said
    assert (Path("out") / store.LOCK).is_dir()


# Parts changed by hand


def edited(change: str) -> Path:
    """A sweep of three cells in one part, which somebody has edited."""
    filled("out", grid(3))
    (path,) = (Path("out") / store.ROWS).iterdir()
    frame = pq.read_table(path).to_pandas()
    if change == "number":
        frame.loc[5, "burden"] += 0.1
    elif change == "cell":
        frame["cell"] += 1
    elif change == "column":
        del frame["trust"]
    elif change == "twice":
        frame = pd.concat([frame, frame.iloc[:1]]).sort_values("cell", kind="stable")
    elif change == "month":
        frame["month"] = frame["month"].replace({12: 13})
    elif change == "probes":
        (path,) = (Path("out") / store.PROBES).iterdir()
        frame = pq.read_table(path).to_pandas()
        frame["value"] += 1
    table = cej_sim_table(frame, path)
    pq.write_table(table, path)
    if change != "probes":  # as if the size had stayed
        ledger = store.Ledger(Path("out"))
        with ledger.transaction() as connection:
            connection.execute("UPDATE parts SET bytes = ?", (path.stat().st_size,))
    return path


def cej_sim_table(frame: pd.DataFrame, path: Path):
    import pyarrow as pa

    schema = pq.read_schema(path)
    fields = [schema.field(name) for name in frame.columns]
    return pa.Table.from_pandas(frame, pa.schema(fields), preserve_index=False)


@pytest.mark.parametrize(
    "change",
    [
        "number",
        "column",
        "probes",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("cell", "twice", "month")),
    ],
)
def test_a_part_changed_by_hand_is_noticed(change: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = edited(change)
    with pytest.raises(SweepFailure, match="was changed since it was written"):
        Sweep("out").check_content()
    for command in (["analyze", "out"], ["merge", "out", "--out", "m"]):
        said = failing(*command, capsys=capsys)
        assert said.startswith(f"{path} was changed since it was written"), said
    assert not (Path("out") / "analysis").exists()
    if change in ("column", "twice"):
        assert str(path) in failing("reproduce", "out", "0", capsys=capsys)


def test_no_flipped_bit_goes_unnoticed() -> None:
    """Wherever a bit of the files of rows is another, they are complained of, or read as they were."""
    filled("out", grid(7))
    paths = sorted((Path("out") / store.ROWS).iterdir())
    sound, noticed, luck = Sweep("out").rows(), list[bool](), random.Random(5)
    places = [(path, at) for path in paths for at in luck.sample(range(path.stat().st_size), 40)]
    named = (paths[0], paths[0].read_bytes().rindex(b"trust"))  # the name of a column
    for path, at in [named, *places]:
        before = path.read_bytes()
        path.write_bytes(before[:at] + bytes([before[at] ^ (1 << luck.randrange(7))]) + before[at + 1 :])
        try:
            Sweep("out").check_content()
            pd.testing.assert_frame_equal(Sweep("out").rows(), sound)
        except SweepFailure as error:
            noticed.append(str(path) in str(error))
            with contextlib.suppress(SweepFailure):
                Sweep("out").rows()
        path.write_bytes(before)
    assert all(noticed)
    assert len(noticed) > len(places) // 4


def test_a_ledger_that_is_taken_away_meanwhile() -> None:
    filled("out", grid(3), [0])
    ledger = store.Ledger(Path("out"))
    assert ledger.counts() == (1, 0)
    (Path("out") / store.LEDGER).unlink()
    with pytest.raises(SweepFailure, match=r"out/ledger\.sqlite is gone: it was moved or removed"):
        ledger.record(None, [], [store.Failed(1, "no", "", "0", 0.0)])


def test_sound_parts_are_sound() -> None:
    filled("out", grid(7))
    Sweep("out").check_content()
    filled("s", grid(7), shard=Shard(2, 2))
    Sweep("s").check_content()


# Time in which everything stood still


def test_time_that_stood_still_is_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 50.0, 51.5])
    monkeypatch.setattr(crew.time, "monotonic", lambda: next(now))
    turns = crew.Turns()
    assert [turns.end(1.0) for _ in range(3)] == [0.0, 48.0, 0.0]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
def test_a_stopped_sweep_puts_down_no_cell(here: Path) -> None:
    code = """
        import sys, time
        from dataclasses import replace
        import cells
        import test_sweeps_engine as those
        from cej_sim.sweeps import runner
        design = replace(those.grid(2), time_limit=8.0)
        print("begun", flush=True)
        done = runner.sweep(design, "out", workers=2, compute=cells.sleepy)
        print(done.ledger.counts(), flush=True)
    """
    process = started(code=code, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    until = time.monotonic() + 60.0
    while len(list(here.glob("awake-*"))) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(12.0)
    os.killpg(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert out == "(2, 0)\n", err


# Who computes


@pytest.mark.parametrize(
    "address", ["foo", "", "tcp://", "::1", "http://head:8786", "tcp://127.0.0.1:abc", "tcp://h:0", "tcp://h:99999"]
)
def test_an_address_that_is_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--scheduler", address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"--scheduler: {address!r} is not an address; write one such as tcp://")
    assert not Path("out").exists()
    with pytest.raises(SweepError, match="is not an address"):
        runner.sweep(grid(2), "out", scheduler=address)


def test_workers_and_a_scheduler_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    filled("out", grid(2))
    for command in (["sweep", "design.yaml"], ["retry", "out"]):
        said = refused(*command, "--workers", "2", "--scheduler", "tcp://[::1]:8786", capsys=capsys)
        assert said.startswith("--workers: with a scheduler, its own workers compute")
    with pytest.raises(SweepError, match="leave out the number of workers"):
        runner.sweep(grid(2), workers=2, scheduler="head:8786")


def test_too_few_files_may_be_open() -> None:
    resource = pytest.importorskip("resource")

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    code = """
        from cej_sim.sweeps import crew, store
        try:
            crew.check_files(30)
        except store.SweepFailure as error:
            print(error)
    """
    process = started(code=code, preexec_fn=few)
    out, err = process.communicate(timeout=120)
    assert "30 workers need more open files than the 40 that are allowed here; use --workers" in out, err


# Network files


@pytest.mark.slow
def test_network_files_of_the_same_name(here: Path) -> None:
    for folder, weight in (("a", 1), ("b", 3)):
        (here / folder).mkdir()
        (here / folder / "ties.csv").write_text(f"source,target,contact\nhub,clinic,5\nhub,schools,{weight}\n")
        (here / folder / "ours.yaml").write_text(
            f"schema_version: 1\nname: {folder}\nextends: community_led\nmonths: 24\n"
            "network: {file: ties.csv, weight: contact, scale: 5}\n"
        )
    Path("design.yaml").write_text(
        "schema_version: 1\nscenarios: [a/ours.yaml, b/ours.yaml]\ndesign: list\ncells: [{}]\nruns: 1\n"
    )
    design = read_design("design.yaml")
    sweep = runner.sweep(design, "out", workers=1)
    assert sweep.ledger.counts() == (1, 0)
    assert sweep.design.hash() == design.hash()
    texts = [one.network_file.path.read_text() for one in sweep.design.scenarios if one.network_file]
    assert [text[-2] for text in texts] == ["1", "3"]
    from cej_sim.sweeps import cluster

    plan, folder = cluster._unpacked(cluster._packed(Path("out"), sweep.design))
    with folder:
        assert plan.design.hash() == design.hash()
    cluster._unpacked.cache_clear()


# Designs that pass for what they are not

MISTAKES = {
    "design: grid\nfactors: [{path: mechanisms.burnout, low: 0, high: 1, steps: 10000}, "
    "{path: mechanisms.fear, low: 0, high: 1, steps: 10000}, {path: mechanisms.naming, low: 0, high: 1, steps: 10000}]":
        (4, "1,000,000,000,000 cells are more than a sweep keeps account of (100,000,000)"),
    "design: latin_hypercube\nsamples: 1000000000\nfactors: [{path: funder.tolerance, low: 0, high: 1}]":
        (4, "write at most 20,000,000"),
    "design: sobol\nsamples: 536870912\nfactors: [{path: funder.tolerance, low: 0, high: 1}]": (4, "at most 4,194,304"),
    "design: morris\nsamples: 100000000\nfactors: [{path: funder.tolerance, low: 0, high: 1}]": (4, "at most"),
    "design: morris\nsamples: 4\nlevels: 5\nfactors: [{path: funder.tolerance, low: 0, high: 1}]":
        (5, "an even number of levels; write 4 or 6"),
    "design: grid\nfactors: [{path: funder.tolerance, low: 1e-320, high: 1, steps: 3, scale: log}]":
        (4, "a log scale cannot begin at"),
    "design: list\ncells: [{}]\nruns: ٣٤": (5, "is not a number of runs"),
    "design: list\ncells: [{}]\nseed: 9007199254740993": (5, "9007199254740993 is more than 9007199254740992"),
    "design: grid\nset: {community.residents: 50}\nfactors: [{path: community.residents, values: [60, 70]}]":
        (4, "community.residents is also a factor"),
    "design: list\ncells:\n  - {set: {funder.tolerance: 1}}\n  - {}\n  - {label: b, set: {funder.tolerance: 1.0}}":
        (7, "sets the same as cell 0"),
    "design: list\ncells: [{}, {set: {}}]": (4, "sets the same as cell 0"),
    "design: grid\nfactors: [{path: community.residents, low: 60, high: 61, steps: 5}]":
        (4, "5 steps from 60 to 61 are only 2 different whole numbers; write values: [60, 61]"),
    "design: grid\nfactors: [{path: funder.grant, values: [2, 4], scenario: community_led}]":
        (4, "do not have the same money"),
    "design: one_at_a_time\nfactors: [{path: funder.tolerance, values: [0, 1]}, "
    "{path: funder.grant_end, values: [12, 24], scenario: community_led}]": (4, "do not have the same money"),
    "design: latin_hypercube\nsamples: 4\nfactors: [{path: funder.grant, low: 2, high: 4, scenario: community_led}]":
        (5, "add the line allow_unequal_budgets: true"),
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_say_where_and_what_to_write(text: str, recwarn: pytest.WarningsRecorder) -> None:
    line, words = MISTAKES[text]
    with pytest.raises(DesignError) as caught:
        made(f"schema_version: 1\n{POLES}{text}\n")
    (said,) = str(caught.value).splitlines()
    assert said.startswith(f"design.yaml:{line}:"), said
    assert words in said
    assert not recwarn.list


def test_more_cells_than_any_number_can_count() -> None:
    factors = "".join(
        f"  - {{path: {path}, low: {parameter.low:g}, high: {parameter.high:g}, steps: 3}}\n"
        for path, parameter in cej_sim.scenario.PARAMETERS.items()
        if path.startswith(("mechanisms.", "coefficients.")) and parameter.kind == "number"
    )
    assert 3 ** factors.count("\n") > 2**63
    with pytest.raises(DesignError, match="cells are more than a sweep keeps account of"):
        made(f"schema_version: 1\n{POLES}design: grid\nfactors:\n{factors}")


def test_unequal_money_may_be_asked_for() -> None:
    text = "factors: [{path: funder.grant, values: [2, 4], scenario: community_led}]\nallow_unequal_budgets: true\n"
    assert made(text, "grid").allow_unequal_budgets
    # The same levels in both scenarios: some combinations are equal, and others are not.
    both = "factors: [{path: funder.grant, values: [2, 4], scenario: community_led}, " \
        "{path: funder.grant, values: [2, 4], scenario: collective_impact}]\n"  # fmt: skip
    with pytest.raises(DesignError, match="do not have the same money"):
        made(both, "grid")
    # What was not looked at when the design was read fails when its turn comes.
    design = made(text, "grid")
    from dataclasses import replace

    from cej_sim.sweeps import worker

    with pytest.raises(ValueError, match="do not have the same money"):
        worker.compute_cell(Plan(replace(design, allow_unequal_budgets=False)), 0)


def test_numbers_of_issues_can_be_set_everywhere() -> None:
    design = made("set: {issues.structural: .5}\ncells:\n  - {}\n  - set: {issues.structural: .8}\n  - set:\n"
                  "      issues.skew: .2\n", "list")  # fmt: skip
    cells = [Plan(design).scenarios(cell)["community_led"].issues for cell in range(3)]
    assert [{issue.structural for issue in issues} for issues in cells] == [{0.5}, {0.8}, {0.5}]
    assert {issue.skew for issue in cells[2]} == {0.2}
    assert Plan(design).label(0) == "as the scenarios are"


# What is told


def test_unset_factors_have_the_value_that_was_used() -> None:
    Path("other.yaml").write_text(SMALL.format(name="other", votes=0.3).replace("residents: 12", "residents: 14"))
    Path("design.yaml").write_text(
        "schema_version: 1\nname: small\ndesign: one_at_a_time\nscenarios: [old.yaml, other.yaml]\nruns: 1\n"
        "factors:\n  - {path: community.institutions, values: [4, 5]}\n  - {path: community.residents, values: [16]}\n"
        "  - {path: issues.skew, values: [0, 0.1]}\n"
        "  - {path: governance.decide.rule, scenario: old, values: [majority, consensus]}\n".replace("[16]", "[16, 18]")
    )
    table = runner.sweep("design.yaml", "out", workers=1, compute=computing.cheap).cells
    assert table["community.institutions"].tolist() == [3, 4, 5, 3, 3, 3, 3, 3, 3]
    assert table["community.residents"].fillna(-1).tolist() == [-1, -1, -1, 16, 18, -1, -1, -1, -1]
    assert table["issues.skew"].isna().tolist() == [True] * 5 + [False] * 2 + [True] * 2  # not the same for all issues
    assert table["old:governance.decide.rule"].iloc[0] == cej_sim.load("old.yaml")["governance.decide.rule"]


@pytest.mark.slow
def test_a_dry_run_says_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    filled("out", engine.cej_sim_design(), [0, 1, 2])
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "there      3 of 4 done, 1 to go (out)" in out
    assert "for what is left" in out
    Path("design.yaml").write_text(DESIGN.replace("runs: 2", "runs: 3"))
    said = refused("sweep", "design.yaml", "--out", "out", "--dry-run", capsys=capsys)
    assert said.startswith("--out: it would be refused: out holds a sweep of another design (runs: 2, now 3)")
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == before


def test_a_design_can_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["check", "design.yaml", "old.yaml"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:2] == [
        "design.yaml: correct; a design of 4 cells",
        "  note: to see what it would take: cej-sim sweep design.yaml --dry-run",
    ]
    assert "old.yaml: correct" in out
    Path("design.yaml").write_text(DESIGN.replace("design: grid", "design: gird"))
    assert "did you mean grid?" in refused("check", "design.yaml", capsys=capsys)


def test_one_missing_cell_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    filled("s1", grid(3), shard=Shard(1, 2))
    assert "1 cell is missing: finish its shard and merge again, or compute it" in failing(
        "merge", "s1", "--out", "m", capsys=capsys
    )
    assert json.loads(Path("m/provenance.json").read_text())["complete"] is False
