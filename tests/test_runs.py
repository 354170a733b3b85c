"""Many runs: common luck whatever the batch, fair comparisons, results on disk, and the probes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pictures import leave_empty
from sharing import Plainest

import cej_sim as cej
from cej_sim import explaining, provenance, runs
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import run_months
from cej_sim.population import populate
from cej_sim.scenario import Event, Scenario, defaults, encode_events

SMALL = {"community.residents": 30, "community.institutions": 4}
A = Scenario("first", {**defaults(), **SMALL}, label="First way", months=60)
B = replace(A.with_values({"governance.decide.votes.residents": 0.6}), name="second", label="")


def assert_same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Equal bit for bit, whatever the index."""
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True), check_exact=True)


@pytest.fixture(scope="module")
def both() -> runs.Comparison:
    return cej.compare(A, B, runs=3, seed=5, months=30)


@pytest.fixture(scope="module")
def saved(both: runs.Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the results of ``both``, their pictures empty; only to be read."""
    out = tmp_path_factory.mktemp("saved") / "deep" / "results"
    with pytest.MonkeyPatch.context() as monkeypatch:
        leave_empty(monkeypatch)
        assert {path.parent for path in both.save(out)} == {out}
    return out


# Common luck


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(both: runs.Comparison, threads: int) -> None:
    again = cej.compare(A, B, runs=3, seed=5, months=30, threads=threads)
    assert_same(again.monthly, both.monthly)
    assert_same(again.changes, both.changes)


def test_the_batch_and_the_order_of_runs_change_nothing() -> None:
    whole = cej.simulate(A, runs=5, seed=5, months=20)
    fewer = cej.simulate(A, runs=2, seed=5, months=20)
    assert_same(fewer.monthly, whole.monthly[whole.monthly["run"] < 2])
    assert_same(fewer.changes, whole.changes[whole.changes["run"] < 2])
    backwards, _ = runs._compute({"first": A}, [4, 1, 3], 5, 20, 2, None)
    for run in (1, 3, 4):
        assert_same(backwards[backwards["run"] == run], whole.monthly[whole.monthly["run"] == run])


def test_fewer_months_are_the_first_months_of_more() -> None:
    short, long = (cej.simulate(A, runs=2, seed=3, months=months) for months in (24, 60))
    assert_same(short.monthly, long.monthly[long.monthly["month"] <= 24])
    assert_same(short.changes, long.changes[long.changes["month"] <= 24])


def test_stretches_are_the_months_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    key, months = runs.key_of(3, 0), []
    stretched = np.empty((31, len(METRICS)))
    monkeypatch.setattr(runs, "_STRETCH", 12 * populate(A, int(key)).kind.size)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "run_months", lambda *given: months.append(len(given[-1])) or run_months(*given))
        runs.run_once(A, key, stretched)
    assert months == [12, 12, 6]
    at_once = np.empty((30, len(METRICS)))
    run_months(populate(A, int(key)), encode_events(A), key, 0, at_once)
    assert np.array_equal(stretched[1:], at_once)


def test_scenarios_of_a_comparison_share_their_luck(both: runs.Comparison) -> None:
    for scenario in (A, B):
        alone = cej.simulate(scenario, runs=3, seed=5, months=30)
        assert_same(alone.monthly, both.monthly[both.monthly["scenario"] == scenario.name])


def test_runs_and_seeds_have_luck_of_their_own() -> None:
    result = cej.simulate(A, runs=2, seed=5, months=12)
    first, second = (rows[list(NAMES)].to_numpy() for _, rows in result.monthly.groupby("run"))
    assert not np.array_equal(first, second)
    other = cej.simulate(A, runs=1, seed=6, months=12).monthly[list(NAMES)].to_numpy()
    assert not np.array_equal(first, other)


def test_a_name_changes_nothing() -> None:
    twin = replace(A, name="quite another", label="Better", description="The good side.")
    result = cej.compare(A, twin, runs=2, months=24)
    first, second = (rows[list(NAMES)].to_numpy() for _, rows in result.monthly.groupby("scenario", sort=False))
    assert np.array_equal(first, second)
    assert (result.table["difference"] == 0).all()


# Tables


def test_every_run_has_a_row_for_every_month(both: runs.Comparison) -> None:
    monthly = both.monthly
    assert list(monthly.columns) == ["scenario", "run", "month", *NAMES]
    assert len(monthly) == 2 * 3 * 31
    for _, rows in monthly.groupby(["scenario", "run"]):
        assert list(rows["month"]) == list(range(31))
    assert np.isfinite(monthly[list(NAMES)].to_numpy()).all()
    start = monthly[(monthly["month"] == 0) & (monthly["scenario"] == "first")]
    assert np.allclose(start["burden"], 1.0)


def test_the_log_is_dated_within_the_run(both: runs.Comparison) -> None:
    columns = ["scenario", "run", "month", "event", "category", "subject", "count", "text"]
    assert list(both.changes.columns) == columns
    assert not both.changes.empty
    assert both.changes["month"].between(1, 30).all()


def test_the_table_compares_the_first_with_each_other_at_the_last_month() -> None:
    third = replace(B, name="third")
    result = cej.compare(A, B, third, runs=2, months=30)
    assert set(zip(result.table["scenario_a"], result.table["scenario_b"], strict=True)) == {
        ("first", "second"),
        ("first", "third"),
    }
    assert set(result.table["month"]) == {24, 30}
    wide = result.monthly[result.monthly["month"] == 30].pivot(index="run", columns="scenario", values="vote_share")
    row = result.table.query("scenario_b == 'second' and month == 30 and metric == 'vote_share'").iloc[0]
    assert row["difference"] == pytest.approx((wide["second"] - wide["first"]).mean())


@pytest.mark.parametrize(("months", "expected"), [(1, [1]), (24, [24]), (60, [24, 60]), (90, [24, 60, 90])])
def test_months_of_the_table(months: int, expected: list[int]) -> None:
    assert runs.table_months(months) == expected


def test_a_scenario_compared_with_itself_gets_a_second_name() -> None:
    result = cej.compare(A, A, runs=2, months=6)
    assert list(result.scenarios) == ["first", "first (2)"]
    assert sorted(set(result.titles.values())) == ["First way [first (2)]", "First way [first]"]
    assert (result.table["difference"] == 0).all()


def test_it_says_what_it_is(both: runs.Comparison) -> None:
    assert repr(both) == ("<Comparison of first and second: 3 runs, 30 months, seed 5; illustration, not prediction>")
    assert "<table" in both._repr_html_()


# What may be asked for


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"runs": 0}, "runs: 0"),
        ({"runs": 2.5}, "runs: 2.5"),
        ({"months": 0}, "months: 0"),
        ({"months": 61}, "at most 60"),
        ({"seed": -1}, "seed: -1"),
        ({"seed": 2**64}, "seed: 18446744073709551616"),
        ({"threads": 0}, "threads: 0"),
    ],
)
def test_impossible_numbers_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cej.simulate(A, **wrong)
    with pytest.raises(ValueError, match=said):
        cej.compare(A, B, **wrong)


def test_all_mistakes_are_named_together() -> None:
    with pytest.raises(runs.RequestError) as error:
        cej.simulate(A, runs=0, months=0, seed=-1)
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == ["runs", "months", "seed"]


def test_the_largest_seed_works() -> None:
    assert len(cej.simulate(A, seed=2**64 - 1, months=1).monthly) == 2


def test_what_is_no_scenario_is_refused() -> None:
    with pytest.raises(TypeError, match="load it first"):
        cej.simulate("collective_impact")  # type: ignore[arg-type]


def test_a_community_that_cannot_be_built_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible(*_: object, **__: object) -> None:
        raise ValueError("nobody lives here")

    monkeypatch.setattr(runs, "populate", impossible)
    with pytest.raises(runs.RequestError, match="first: nobody lives here"):
        cej.simulate(A)


def test_unequal_budgets_are_refused_with_both_amounts() -> None:
    richer = replace(A.with_values({"funder.grant": 8.0}), name="richer")
    with pytest.raises(ValueError, match=r"360 against 480 staff-months over 60 months \(funder.grant 6 against 8\)"):
        cej.compare(A, richer, runs=1)
    with pytest.warns(runs.ComparisonWarning, match="do not have the same money"):
        result = cej.compare(A, richer, runs=1, months=6, allow_unequal_budgets=True)
    assert "360" not in result.provenance["warnings"][0]
    assert "36 against 48" in result.provenance["warnings"][0]


@pytest.mark.parametrize(
    ("values", "events"),
    [
        ({"funder.grant_end": 30}, ()),
        ({"funder.contribution": 0.0}, ()),
        ({}, (Event(12, "mandate", (("funder.grant", 9.0),)),)),
        ({}, (Event(12, "motion", (("funder.grant_end", 24),)),)),
    ],
)
def test_money_differs_in_whatever_decides_it(values: dict, events: tuple) -> None:
    other = replace(A.with_values(values), name="other", events=events)
    with pytest.raises(ValueError, match="do not have the same money"):
        cej.compare(A, other, runs=1)


def test_money_after_the_last_month_is_no_difference() -> None:
    later = replace(A.with_values({"funder.grant_end": 80}), name="later", months=120)
    earlier = replace(A.with_values({"funder.grant_end": 70}), name="earlier", months=120)
    assert runs.budget_refusals({"later": later, "earlier": earlier}, 60) == []
    assert "480 against 420" in runs.budget_refusals({"later": later, "earlier": earlier})[0]


def test_the_schedule_of_the_grant_is_what_the_engine_pays() -> None:
    """Money without contributions, and without judgment, is the grant as promised."""
    values = {"funder.contribution": 0.0, "mechanisms.judgment": 0.0, "funder.grant": 4.0, "funder.grant_end": 20}
    events = (Event(6, "mandate", (("funder.grant", 3.0),)), Event(12, "mandate", (("funder.grant_end", 15),)))
    scenario = replace(A.with_values(values), events=events)
    key, encoded, row = runs.key_of(0, 0), encode_events(scenario), np.empty((1, len(METRICS)))
    state, paid = populate(scenario, int(key)), []
    for month in range(24):
        paid.append(float(state.coalition[0].money))
        run_months(state, encoded, key, month, row)
    assert paid == list(runs.grant_schedule(scenario, 24))


def test_communities_that_differ_are_pointed_out() -> None:
    larger = replace(A.with_values({"community.residents": 36}), name="larger")
    with pytest.warns(runs.ComparisonWarning, match="different communities: community.residents 30 against 36"):
        cej.compare(A, larger, runs=1, months=3)


def test_the_shorter_horizon_counts() -> None:
    short = replace(A, name="short", months=12)
    with pytest.warns(runs.ComparisonWarning, match="both stop at the shorter horizon"):
        result = cej.compare(A, short, runs=1)
    assert result.monthly["month"].max() == 12


# Progress, failures and Ctrl-C


def test_progress_counts_every_run() -> None:
    seen: list[tuple[int, int]] = []
    cej.compare(A, B, runs=3, months=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(7)]


def test_an_interruption_stops_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    real = runs.run_once
    monkeypatch.setattr(runs, "run_once", lambda *arguments: begun.append(1) or real(*arguments))

    def interrupt(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cej.simulate(A, runs=500, threads=2, progress=interrupt)
    assert len(begun) < 400


def test_a_failing_run_fails_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("in run")

    monkeypatch.setattr(runs, "change_log", fail)
    with pytest.raises(ZeroDivisionError, match="in run"):
        cej.simulate(A, runs=3, months=1)


# On disk


def test_what_is_saved(both: runs.Comparison, saved: Path) -> None:
    names = ["monthly.parquet", "changes.parquet", "comparison.png", "report.html", "comparison.csv", "provenance.json"]
    names += ["changes.csv", "spectra.csv"]
    assert sorted(path.name for path in saved.iterdir()) == sorted(names)
    stored = pq.read_table(saved / "monthly.parquet")
    assert stored.schema.names == ["scenario", "run", "month", *NAMES]
    assert [stored.schema.field(place).type for place in range(4)] == [
        pa.string(),
        pa.int32(),
        pa.int32(),
        pa.float64(),
    ]
    note = b"illustration, not prediction; 3 runs, seed 5, cej_sim " + cej.__version__.encode()
    assert stored.schema.metadata[b"note"] == note
    assert_same(pd.read_parquet(saved / "monthly.parquet"), both.monthly)
    assert_same(pd.read_parquet(saved / "changes.parquet"), both.changes)
    table = pd.read_csv(saved / "comparison.csv")
    columns = "scenario_a scenario_b metric month a b difference ci_low ci_high effect_size p_better runs"
    assert " ".join(table.columns) == columns
    pd.testing.assert_frame_equal(table, both.table, check_dtype=False)
    assert (saved / "comparison.png").read_bytes().startswith(b"\x89PNG")
    page = (saved / "report.html").read_text(encoding="utf-8")
    assert "First way" in page
    assert "llustration, not prediction" in page


def test_what_the_provenance_says(saved: Path) -> None:
    said = json.loads((saved / "provenance.json").read_text(encoding="utf-8"))
    assert said["note"] == "illustration, not prediction"
    assert (said["seed"], said["runs"], said["months"], said["command"]) == (5, 3, 30, None)
    assert {"cej_sim", "python", "numpy", "numba", "mesa", "pandas"} <= set(said["versions"])
    assert [scenario["name"] for scenario in said["scenarios"]] == ["first", "second"]
    assert [scenario["hash"] for scenario in said["scenarios"]] == [A.hash(), B.hash()]
    assert said["scenarios"][1]["resolved"]["values"]["governance.decide.votes.residents"] == 0.6
    for name, digest in said["files"].items():
        assert hashlib.sha256((saved / name).read_bytes()).hexdigest() == digest


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_only_our_own_results_are_overwritten(both: runs.Comparison, saved: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(saved, out)
    (out / "my notes.txt").write_text("keep")
    cej.simulate(A, runs=1, months=3).save(out)
    # The comparison's own files would belie the newer result.
    files = ["changes.csv", "changes.parquet", "monthly.parquet", "my notes.txt", "provenance.json", "report.html"]
    assert sorted(path.name for path in out.iterdir()) == [*files, "run.png", "spectra.csv"]
    assert (out / "my notes.txt").read_text() == "keep"
    assert pd.read_parquet(out / "monthly.parquet")["month"].max() == 3

    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("keep")
    with pytest.raises(provenance.OutputError, match="not results of cej-sim"):
        both.save(foreign)
    (foreign / "provenance.json").write_text('{"software": "something else"}')
    with pytest.raises(provenance.OutputError, match="not results of cej-sim"):
        both.save(foreign)
    assert sorted(path.name for path in foreign.iterdir()) == ["chapter.txt", "provenance.json"]


def test_what_an_interrupted_write_left_is_no_obstacle(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, another = tmp_path / f".cej_sim-{gone.pid}-abcdefgh", tmp_path / f".cej_sim-{os.getpid()}-abcdefgh"
    for staging in (left, another):
        staging.mkdir()
        (staging / "monthly.parquet").write_bytes(b"half")
    provenance.write(
        tmp_path, {"software": "cej_sim"}, {"monthly.parquet": lambda path: path.write_bytes(b"whole") and None}
    )
    assert not left.exists()
    assert another.exists()  # of a command that is still at work
    assert (tmp_path / "monthly.parquet").read_bytes() == b"whole"


def test_only_what_commands_leave_behind_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    kept = [".cej_sim-backup", f".cej_sim-{gone.pid}", f".cej_sim-{gone.pid}-thesis", f".cej_sim-{gone.pid}-abcdefgh"]
    for name in kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("keep")
        os.utime(tmp_path / name, (0, 0))
    with pytest.raises(provenance.OutputError, match="not results of cej-sim"):
        provenance.write(tmp_path, {"software": provenance.SOFTWARE}, {})
    (tmp_path / "provenance.json").write_text(json.dumps({"software": provenance.SOFTWARE, "files": {}}))
    (tmp_path / f".cej_sim-{gone.pid}-abcdefgh.zip").write_text("half a bundle")
    provenance.write(tmp_path, {"software": provenance.SOFTWARE}, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "provenance.json"])


def write_as(content: bytes, *names: str) -> dict:
    return {name: lambda path: path.write_bytes(content) and None for name in names}


def test_what_somebody_put_or_changed_among_results_stays(tmp_path: Path) -> None:
    ours = {"software": provenance.SOFTWARE}
    provenance.write(tmp_path, ours, write_as(b"old", "monthly.parquet", "comparison.csv"))
    picture = tmp_path / "run.png"
    picture.write_bytes(b"mine")
    with pytest.raises(
        provenance.OutputError, match=r"holds run.png, which does not belong to the results there; move"
    ):
        provenance.write(tmp_path, ours, write_as(b"new", "run.png"))
    picture.unlink()
    (tmp_path / "comparison.csv").write_bytes(b"my remarks")
    with pytest.raises(provenance.OutputError, match=r"holds comparison.csv, which was changed since it was written"):
        provenance.check_output(tmp_path)
    (tmp_path / "comparison.csv").write_bytes(b"old")
    provenance.write(tmp_path, ours, write_as(b"new", "run.png"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["provenance.json", "run.png"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"software": "cej_sim", "files": 5}', '{"software": "cej_sim", "files": {"run.png": 5}}']
)
def test_a_damaged_provenance_protects_what_is_there(text: str, tmp_path: Path) -> None:
    (tmp_path / "provenance.json").write_text(text)
    (tmp_path / "run.png").write_bytes(b"mine")
    with pytest.raises(provenance.OutputError, match="holds "):
        provenance.check_output(tmp_path)


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_result_that_was_cut_off_leaves_nothing_stale(
    moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {"software": provenance.SOFTWARE}
    provenance.write(tmp_path, ours, write_as(b"old", "monthly.parquet", "predictions.csv"))
    replace_file, done = os.replace, []

    def stop(source: Path, target: Path) -> None:
        replace_file(source, target)
        done.append(target)
        if len(done) == moment:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            provenance.write(tmp_path, ours, write_as(b"new", "monthly.parquet", "predictions.csv"))
    provenance.write(tmp_path, ours, write_as(b"newest", "monthly.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["monthly.parquet", "provenance.json"]


def test_two_writers_leave_one_whole_result(tmp_path: Path) -> None:
    """Whoever comes last: the hashes are those of the files, in a directory that both may have made."""

    def one(content: bytes, directory: Path) -> None:
        provenance.write(directory, {"software": provenance.SOFTWARE}, write_as(content, *names))

    names = ("monthly.parquet", "changes.parquet", "run.png", "report.html")
    with ThreadPoolExecutor(4) as pool:
        for number in range(40):
            directory = tmp_path / str(number) / "results"
            list(pool.map(one, (b"a", b"b", b"c", b"d"), [directory] * 4))
            said = provenance.read(directory)
            assert said is not None
            assert said["files"] == {
                name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in names
            }
            assert sorted(path.name for path in directory.iterdir()) == sorted([*names, "provenance.json"])


def test_names_that_are_not_utf_8_are_written_out(tmp_path: Path) -> None:
    provenance.write(tmp_path, {"software": provenance.SOFTWARE, "command": "cej-sim run \udcff.yaml"}, {})
    said = provenance.read(tmp_path)
    assert said is not None
    assert said["command"] == "cej-sim run \udcff.yaml"


def test_a_kill_while_results_are_replaced_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the moment: either the provenance fits the files, or it says that they are unfinished."""
    writers = {name: lambda path: path.write_bytes(b"old") and None for name in ("monthly.parquet", "changes.parquet")}
    provenance.write(tmp_path, {"software": provenance.SOFTWARE, "seed": 1}, writers)
    writers = {name: lambda path: path.write_bytes(b"new") and None for name in writers}
    replace_file = os.replace
    for allowed in range(4):
        done: list[str] = []

        def stop(source: Path, target: Path, most: int = allowed, done: list[str] = done) -> None:
            if len(done) == most:
                raise KeyboardInterrupt
            done.append(str(target))
            replace_file(source, target)

        monkeypatch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            provenance.write(tmp_path, {"software": provenance.SOFTWARE, "seed": 2}, writers)
        monkeypatch.setattr(os, "replace", replace_file)
        told = provenance.read(tmp_path)
        assert told is not None
        if "unfinished" not in told:
            assert told["files"] == {
                name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in writers
            }
    provenance.write(tmp_path, {"software": provenance.SOFTWARE, "seed": 2}, writers)
    told = provenance.read(tmp_path)
    assert told is not None
    assert told["seed"] == 2
    assert (tmp_path / "changes.parquet").read_bytes() == b"new"


def test_a_failed_write_leaves_the_older_result_whole(saved: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(saved, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def disk_full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(provenance.OutputError, match="no space left on device"):
        provenance.write(out, {}, {"monthly.parquet": disk_full})
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("keep")
    with pytest.raises(provenance.OutputError, match="is a file; name a directory"):
        provenance.check_output(file)
    with pytest.raises(provenance.OutputError, match="cannot be written: not a directory"):
        provenance.check_output(file / "below")
    with pytest.raises(provenance.OutputError, match="cannot be written: file name too long"):
        provenance.check_output(tmp_path / ("x" * 300))

    def read_only(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(provenance.tempfile, "TemporaryFile", read_only)
    with pytest.raises(provenance.OutputError, match="cannot be written: permission denied; name another directory"):
        provenance.check_output(tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_asking_whether_one_may_write_leaves_no_trace(tmp_path: Path) -> None:
    assert provenance.check_output(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []


def test_the_commit_of_a_checkout(tmp_path: Path) -> None:
    assert provenance.commit(tmp_path) is None

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    git("init")
    assert provenance.commit(tmp_path) is None, "there is no commit yet"
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    found = provenance.commit(tmp_path)
    assert found is not None
    assert len(found["hash"]) == 40
    assert found["modified"] is False
    (tmp_path / "file").write_text("2")
    assert provenance.commit(tmp_path) == {**found, "modified": True}


def test_figures_are_drawn_from_the_results(both: runs.Comparison) -> None:
    for figure in (both.plot(), cej.simulate(A, runs=1, months=6).plot()):
        assert type(figure).__name__ == "Figure"
        assert figure.axes


# Probes


def test_influence_follows_the_votes() -> None:
    weak, strong = (
        A.with_values({f"governance.decide.votes.{bloc}": vote for bloc, vote in votes.items()})
        for votes in (
            {"residents": 0.05, "institutions": 0.9, "backbone": 0.05},
            {"residents": 0.9, "institutions": 0.05, "backbone": 0.05},
        )
    )
    low, high = (influence_of(scenario) for scenario in (weak, strong))
    assert list(low.columns) == ["run", "month", "influence"]
    assert len(low) == 4 * 37
    assert (low.query("month == 0")["influence"] == 0).all(), "nobody has decided anything yet"
    late_low, late_high = (frame.query("month > 24").groupby("run")["influence"].mean() for frame in (low, high))
    assert (late_high > late_low).all()


def influence_of(scenario: Scenario, bloc: str = "resident", threads: int | None = None) -> pd.DataFrame:
    return runs.causal_influence(scenario, runs=4, seed=1, months=36, bloc=bloc, threads=threads)


def test_influence_is_the_same_on_one_thread() -> None:
    assert_same(influence_of(A, "institution", 1), influence_of(A, "institution", 3))


def test_influence_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="not a kind of agent"):
        influence_of(A, "mayor")
    with pytest.raises(ValueError, match="nobody of kind organizer"):
        influence_of(A.with_values({"community.organizers": 0}), "organizer")


def test_the_area_of_a_loop() -> None:
    """A way back that retraces the way there has no area; one that stays where the top was has a known one."""
    values = np.array([0.2, 0.4, 0.8])
    there = np.array([0.0, 1.0, 3.0])
    plateaus = np.zeros((2, 1, 5, len(METRICS)))
    plateaus[1, 0, :, 0] = [*there, 1.0, 0.0]
    plateaus[1, 0, :, 1] = [*there, 3.0, 3.0]
    loop = runs._loop(plateaus, values)
    assert loop.areas.loc[0, "area"] == 0.0
    # Gaps -3, -2, 0 on the axis 0, 1/3, 1.
    assert loop.areas.loc[1, "area"] == pytest.approx(-(2.5 / 3 + 1.0 * 2 / 3))
    assert (loop.areas["drift"] == 0.0).all()
    down = loop.branches.query("branch == 'down'")
    assert list(down["value"]) == [0.2, 0.4, 0.8]
    assert list(down[NAMES[1]]) == [3.0, 3.0, 3.0]


def test_a_rule_there_and_back_again() -> None:
    path = "governance.decide.votes.residents"
    loop = runs.irreversibility(A, path, 0.1, 0.7, hold=6, steps=3, runs=2, seed=1)
    up = loop.branches.query("branch == 'up'")
    assert list(up["value"]) == pytest.approx([0.1, 0.4, 0.7])
    assert up["vote_share"].is_monotonic_increasing
    stay = loop.branches.query("branch == 'stay'")
    assert len(stay) == 5
    areas = loop.areas.set_index("metric")
    assert areas.loc["vote_share", "area"] == pytest.approx(0.0, abs=1e-9), "votes are set, and set back"
    assert areas.loc["agenda_origin", "area"] != areas.loc["agenda_origin", "drift"]
    means = loop.per_run.groupby("metric")["area"].mean()
    assert means["burden"] == pytest.approx(areas.loc["burden", "area"])


def test_moving_a_rule_that_cannot_act_is_mere_drift() -> None:
    without = A.with_values({"mechanisms.judgment": 0.0})
    loop = runs.irreversibility(without, "funder.tolerance", 0.0, 1.0, hold=4, steps=2, runs=2)
    assert (loop.per_run["area"] == loop.per_run["drift"]).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("governance.decide.vote", 0.0, 1.0), "not a rule that can be moved"),
        (("governance.decide.rule", 0.0, 1.0), "not a rule that can be moved"),
        (("governance.decide.votes.residents", 0.5, 0.5), "they must differ"),
        (("governance.decide.votes.residents", 0.5, 1.5), "1.5"),
        (("governance.decide.votes.residents", 0.1, 0.5, 1), "hold: 1"),
        (("governance.decide.votes.residents", 0.1, 0.5, 24, 1), "steps: 1"),
    ],
)
def test_impossible_ways_are_refused(arguments: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        runs.irreversibility(A, *arguments)


# Other processors


@pytest.mark.slow
def test_a_generic_processor_gives_the_same_bits(plainest: Plainest, tmp_path: Path) -> None:
    """No instruction of a particular processor may show in the numbers."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import test_runs as t, cej_sim as cej;"
        "cej.compare(t.A, t.B, runs=2, seed=5).monthly.to_pickle(sys.argv[1])"
    )
    frames = []
    here = {name: value for name, value in os.environ.items() if name != "NUMBA_CPU_NAME"}
    for environment in (here, plainest.environment):
        file = tmp_path / f"{len(frames)}.pickle"
        subprocess.run([sys.executable, "-c", code, str(file), str(Path(__file__).parent)], env=environment, check=True)
        frames.append(pd.read_pickle(file))
    assert_same(*frames)


PLAIN = """
import sys
from dataclasses import replace
import pandas as pd
import cej_sim as cej
from cej_sim.reading import shipped
worlds = [replace(cej.load(name), months=14) for name in shipped()]
worlds = [one.with_values({"community.residents": 30}) for one in worlds if one.network_file is None]
assert len(worlds) > 15
worlds.append(cej.load(sys.argv[1]))
pd.concat([cej.simulate(one, runs=1, seed=3).monthly for one in worlds]).to_pickle(sys.argv[2])
"""


@pytest.mark.slow
def test_plain_python_gives_the_same_bits(tmp_path: Path) -> None:
    """What is compiled is what the source says, also where nobody has a tie."""
    graph = nx.empty_graph(0)
    kinds = {"resident": 2, "institution": 1, "backbone": 1, "organizer": 4}
    for kind, number in kinds.items():
        graph.add_nodes_from((f"{kind}{i}" for i in range(number)), kind=kind)
    nx.write_graphml(graph, tmp_path / "apart.graphml")
    (tmp_path / "apart.yaml").write_text(
        "schema_version: 1\nextends: community_led\nname: apart\nmonths: 14\n"
        "community: {residents: 2, organizers: 0, tables: 1, neighborhoods: 1}\n"
        "network:\n  file: apart.graphml\n  residents: null\n"
        f"  kind: {{column: kind, map: {{{', '.join(f'{kind}: {kind}' for kind in kinds)}}}}}\n"
    )
    frames = []
    for disabled in ("0", "1"):
        file = tmp_path / f"{disabled}.pickle"
        code = [sys.executable, "-c", PLAIN, str(tmp_path / "apart.yaml"), str(file)]
        subprocess.run(code, env={**os.environ, "NUMBA_DISABLE_JIT": disabled}, check=True)
        frames.append(pd.read_pickle(file))
    assert_same(*frames)


# What is set


def test_rules_count_as_in_force_while_somebody_sits() -> None:
    """Residents are told to wait from month 6 to 12; those who joined before still sit, and their votes count."""
    wait = Event(6, "mandate", (("governance.convene.residents_from", 12),))
    early = replace(A, name="early", events=(wait,), months=14)
    late = replace(A.with_values({"governance.convene.residents_from": 12}), name="late", months=14)
    told = cej.simulate(early, runs=2, seed=5).monthly.query("6 <= month < 12")
    assert (told["resident_members"] > 0.0).all()
    assert (told["vote_share"] > 0.0).all()
    assert (told["seat_share"] > 0.0).all()
    never = cej.simulate(late, runs=2, seed=5).monthly.query("month < 12")
    assert (never[["vote_share", "seat_share", "resident_members"]] == 0.0).all(axis=None)


def test_two_scenarios_differ_in_as_many_things_as_diff_lists() -> None:
    a, b = cej.load("collective_impact"), cej.load("converted_by_mandate")
    counted = sum(map(len, explaining.differences(a, b).values()))
    assert len(runs.differing_rules({"a": a, "b": b})) == counted
