"""The command line: what it prints and writes, what it refuses, and how it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

import cej_sim
from cej_sim import cli
from cej_sim.reading import shipped

SMALL = """\
schema_version: 1
name: {name}
label: {label}
months: 36
community: {{residents: 30, institutions: 4}}
"""

HEAVY = ("numba", "numpy", "pandas", "mesa", "matplotlib", "scipy", "pyarrow", "networkx")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own directory with three small scenarios, one of them richer."""
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(SMALL.format(name="old", label="The old way"))
    Path("new.yaml").write_text(
        SMALL.format(name="new", label="The new way") + "governance: {decide: {votes: {residents: .6}}}\n"
    )
    Path("rich.yaml").write_text(SMALL.format(name="rich", label="The rich way") + "funder: {grant: 9}\n")
    return tmp_path


def in_a_process(*arguments: str, code: str | None = None, **more: object) -> subprocess.Popen[str]:
    """The command line as a user starts it, or some code."""
    program = ["-m", "cej_sim"] if code is None else ["-c", textwrap.dedent(code)]
    root = str(Path(cej_sim.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        **more,  # type: ignore[call-overload]
    )


# Whoever goes away


def test_a_reader_who_has_seen_enough_ends_it_silently() -> None:
    process = in_a_process("schema")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(60) == 141
    assert said == ""


@pytest.mark.slow
def test_results_that_nobody_reads_are_saved(tmp_path: Path) -> None:
    process = in_a_process("compare", "--runs", "2", "--months", "3", "--out", str(tmp_path / "out"))
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert {"monthly.parquet", "report.html", "comparison.png"} <= {file.name for file in (tmp_path / "out").iterdir()}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a shell closes them")
def test_who_closes_the_outputs_gets_the_results(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    command = f"{sys.executable} -m cej_sim compare --runs 2 --months 3 --out out >&- 2>&-"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0
    assert {"monthly.parquet", "report.html", "comparison.png"} <= {file.name for file in (tmp_path / "out").iterdir()}


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal there")
def test_a_process_that_goes_away_ends_nothing() -> None:
    """A worker killed, a browser closed: what is sent to it fails, and the program goes on."""
    process = in_a_process(
        code="""
        import os
        from cej_sim import cli

        def status(arguments):
            read, write = os.pipe()
            os.close(read)
            try:
                os.write(write, b"to nobody")
            except OSError:
                print("went on")
            return 0

        cli.status = status
        cli.main()
        """
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "went on\n", "")


def test_no_threads_for_linear_algebra_take_a_processor() -> None:
    process = in_a_process(
        code="""
        import os, sys
        from cej_sim import cli

        def app(*_, **__):
            print("numpy" in sys.modules, os.environ["OPENBLAS_NUM_THREADS"])

        cli.app = app
        cli.main()
        """
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"False {os.environ.get('OPENBLAS_NUM_THREADS', 1)}\n", "")


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_who_is_asked_to_end_clears_up_first(name: str) -> None:
    process = in_a_process(
        code="""
        import time
        from cej_sim import cli

        def app(*_, **__):
            try:
                print("begun", flush=True)
                time.sleep(60)
            finally:
                print("cleared up")

        cli.app = app
        cli.main()
        """
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    number = getattr(signal, name)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "cleared up\n", "\nStopped.\n")


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal there")
def test_a_program_that_is_to_outlive_its_terminal_does() -> None:
    process = in_a_process(
        code="""
        import os, signal
        from cej_sim import cli

        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does

        def app(*_, **__):
            os.kill(os.getpid(), signal.SIGHUP)
            print("went on")

        cli.app = app
        cli.main()
        """
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "went on\n", "")


# What works


def test_compare(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", "old.yaml", "new.yaml", "--runs", "2", "--months", "30", "--seed", "4", "--out", "here"]
    assert cli.status(command) == 0
    out, err = capsys.readouterr()
    assert "What the scenarios set" in out
    assert "What happened by year 2 (month 24)" in out
    assert "month 30" in out
    assert "The old way" in out
    written = [line.strip() for line in out.splitlines() if line.startswith("  here")]
    assert len(written) == 8
    assert all(Path(name).is_file() for name in written)
    assert "The old way and The new way, 2 runs each ..." in err
    assert max(map(len, out.splitlines())) <= 100
    monthly = pd.read_parquet("here/monthly.parquet")
    assert set(monthly["scenario"]) == {"old", "new"}
    assert len(monthly) == 2 * 2 * 31
    said = json.loads(Path("here/provenance.json").read_text(encoding="utf-8"))
    assert said["command"] == "cej-sim " + " ".join(command)
    assert said["seed"] == 4


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_compare_without_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["compare", "--runs", "2", "--months", "3"]) == 0
    assert "Collective Impact" in capsys.readouterr().out
    said = json.loads(Path("results/collective_impact-vs-community_led/provenance.json").read_text(encoding="utf-8"))
    assert [scenario["name"] for scenario in said["scenarios"]] == ["collective_impact", "community_led"]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["list"]) == 0
    out = capsys.readouterr().out
    for name, path in shipped().items():
        assert name in out
        assert cej_sim.load(path).title in out


@pytest.mark.usefixtures("empty_pictures")
def test_run_writes_below_results_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["run", "old.yaml", "--runs", "2", "--months", "6"]) == 0
    out, _ = capsys.readouterr()
    assert "The old way" in out
    assert sorted(path.name for path in Path("results/old").iterdir()) == [
        "changes.csv",
        "changes.parquet",
        "monthly.parquet",
        "provenance.json",
        "report.html",
        "run.png",
        "spectra.csv",
    ]


def test_set_acts_on_every_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ["--set", "governance.convene.naming=.7", "--set", "mechanisms.judgment=0"]
    for name in ("old.yaml", "new.yaml"):
        scenarios, problems = cli._load([name], [word for word in settings if word != "--set"])
        assert problems == []
        assert scenarios[0] is not None
        assert scenarios[0]["mechanisms.judgment"] == 0
    asked = cli._prepare(["old.yaml", "new.yaml"], "1", "0", None, ["mechanisms.judgment=0"], None, None, False)
    assert [scenario["mechanisms.judgment"] for scenario in asked.scenarios] == [0, 0]
    assert asked.directory == Path("results/old-vs-new-with-mechanisms.judgment-0")
    asked = cli._prepare(["old.yaml", "new.yaml"], "1", "0", None, None, None, None, False)
    assert asked.directory == Path("results/old-vs-new")


def test_check_says_what_is_correct(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text(SMALL.format(name="bad", label="Bad") + "governace: {}\nfunder: {grant: much}\n")
    assert cli.status(["check", "old.yaml", "bad.yaml", "new.yaml"]) == 2
    out, err = capsys.readouterr()
    said = out.splitlines()
    assert said[:2] == ["old.yaml: correct", "new.yaml: correct"]
    assert "the votes add up to 1.3, so they count in proportion: residents 46%" in said[2]
    assert len(said) == 3
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("bad.yaml:6:1: governace")
    assert "governance" in lines[0]
    assert lines[1].startswith("bad.yaml:7:17: funder.grant")


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_unequal_budgets_are_compared_where_one_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", "old.yaml", "rich.yaml", "--runs", "1", "--months", "3"]
    assert cli.status([*command, "--allow-unequal-budgets"]) == 0
    _, err = capsys.readouterr()
    assert "Note: old and rich do not have the same money: grants of 18 against 27 staff-months over 3 months" in err


# What is refused

BAD = {
    "unknown scenario": (["compare", "old.yaml", "nobody"], ["nobody: "]),
    "two unknown": (["compare", "nobody", "noone"], ["nobody: ", "noone: "]),
    "missing file": (["run", "missing.yaml"], ["missing.yaml: "]),
    "one scenario": (["compare", "old.yaml"], ["old.yaml: one scenario has nothing to be compared with"]),
    "no months": (["run", "old.yaml", "--months", "0"], ["--months: 0"]),
    "months beyond": (["run", "old.yaml", "--months", "37"], ["--months: 37 is more than the 36 months of old"]),
    "no runs": (["compare", "old.yaml", "new.yaml", "--runs", "0"], ["--runs: 0"]),
    "negative seed": (["run", "old.yaml", "--seed", "-1"], ["--seed: -1"]),
    "not a number": (["run", "old.yaml", "--runs", "many"], ["--runs: many is not a whole number"]),
    "half a run": (["run", "old.yaml", "--runs", "1.5"], ["--runs: 1.5 is not a whole number"]),
    "out below a file": (["run", "old.yaml", "--out", "old.yaml/x"], ["--out: old.yaml/x cannot be written"]),
    "out is a file": (["run", "old.yaml", "--out", "new.yaml"], ["--out: new.yaml is a file"]),
    "foreign out": (["run", "old.yaml", "--out", "."], ["--out: . holds files that are not results"]),
    "unknown key": (["run", "old.yaml", "--set", "funder.grants=2"], ["--set: funder.grants: "]),
    "no value": (["run", "old.yaml", "--set", "funder.grant"], ["--set: funder.grant: "]),
    "wrong type": (["run", "old.yaml", "--set", "funder.grant=much"], ["--set: funder.grant: "]),
    "out of bounds": (["run", "old.yaml", "--set", "mechanisms.judgment=2"], ["--set: mechanisms.judgment: "]),
    "once for all": (["compare", "old.yaml", "new.yaml", "--set", "mechanisms.judgment=2"], ["--set: mechanisms.judg"]),
    "unequal budgets": (
        ["compare", "old.yaml", "rich.yaml"],
        ["old and rich do not have the same money: grants of 216 against 324 staff-months over 36 months"],
    ),
    "impossible community": (["run", "old.yaml", "--set", "community.tables=31"], ["--set: community.tables: 31"]),
    "unknown command": (["compar"], ["cej-sim: No such command 'compar'"]),
    "unknown option": (["run", "old.yaml", "--fast"], ["cej-sim run: No such option: --fast"]),
    "nothing to check": (["check"], ["cej-sim check: Missing argument"]),
    "everything at once": (
        ["compare", "nobody", "old.yaml", "--runs", "0", "--months", "x", "--seed", "-2", "--out", "new.yaml"],
        ["nobody: ", "--months: x", "--runs: 0", "--seed: -2", "--out: new.yaml is a file"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_a_line_for_each_mistake(case: str, capsys: pytest.CaptureFixture[str], here: Path) -> None:
    arguments, begins = BAD[case]
    before = sorted(here.iterdir())
    assert cli.status(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if not line.endswith(" ...")]
    assert len(lines) == len(begins)
    for line, begin in zip(lines, begins, strict=True):
        assert line.startswith(begin)
        assert len(line) > len(begin) + 10
    assert "Traceback" not in err
    assert sorted(here.iterdir()) == before


def test_what_shows_only_while_computing_is_still_a_mistake(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cej_sim import runs

    def impossible(*_: object, **__: object) -> None:
        raise ValueError("nobody lives here")

    monkeypatch.setattr(runs, "populate", impossible)
    assert cli.status(["run", "old.yaml"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "old: nobody lives here"


def test_numbers_are_shown_even_if_they_cannot_be_saved(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cej_sim import runs

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "_write_parquet", full)
    for command in (["run", "old.yaml"], ["compare", "old.yaml", "new.yaml"]):
        assert cli.status([*command, "--runs", "2", "--months", "3", "--out", "out"]) == 1
        out, err = capsys.readouterr()
        assert "month 3" in out
        assert "Written" not in out
        wanted = "The results were not saved: out cannot be written: no space left on device"
        assert err.splitlines()[-1] == wanted


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_in_another_encoding_are_no_obstacle(capsys: pytest.CaptureFixture[str]) -> None:
    name, directory = os.fsdecode(b"caf\xe9.yaml"), os.fsdecode(b"r\xe9sultats")
    Path(name).write_text(SMALL.format(name="cafe", label="Café"))
    assert cli.status(["run", name, "--runs", "1", "--months", "2", "--out", directory]) == 0
    assert r"r\udce9sultats/run.png" in capsys.readouterr().out
    said = json.loads(Path(directory, "provenance.json").read_text(encoding="utf-8"))
    assert r"caf\udce9.yaml" in said["command"]
    assert r"caf\udce9.yaml" in Path(directory, "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("empty_pictures")
def test_names_of_files_do_not_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    odd = "ev\x1b[31mil\u202e\n.yaml"
    Path(odd).write_text(SMALL.format(name="odd", label="Odd"))
    assert cli.status(["check", odd]) == 0
    assert cli.status(["check", f"./{odd}.yaml"]) == 2
    assert cli.status(["run", "old.yaml", "--out", f"{odd}/x"]) == 2
    assert cli.status(["run", "old.yaml", "--runs", odd]) == 2
    assert cli.status([odd]) == 2
    assert cli.status(["new", f"b{odd}"]) == 0
    assert cli.status(["run", "old.yaml", "--runs", "1", "--months", "2", "--out", f"c{odd}"]) == 0
    out, err = capsys.readouterr()
    assert r"ev\x1b[31mil\u202e\n.yaml: correct" in out
    assert r"did you mean ev\x1b[31mil\u202e\n.yaml?" in err
    assert r"--out: ev\x1b[31mil\u202e\n.yaml/x cannot be written" in err
    assert not {"\x1b", "\u202e"} & set(out + err)


@pytest.mark.skipif(os.name == "nt", reason="there, a folder in use cannot go")
def test_a_folder_that_is_gone_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    Path("../gone").rmdir()
    assert cli.status(["check", "mine.yaml"]) == 2
    assert capsys.readouterr().err.startswith("cej-sim: the folder in which it was started is gone")
    monkeypatch.undo()


def test_a_wrong_key_is_put_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["run", "old.yaml", "--set", "funder.grants=2"]) == 2
    assert "funder.grant" in capsys.readouterr().err.replace("funder.grants", "")


def test_a_failure_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from cej_sim import runs

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(runs, "simulate", fail)
    assert cli.status(["run", "old.yaml", "--runs", "1"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "cej-sim failed: ZeroDivisionError: two lines (set CEJ_SIM_DEBUG=1 to see where)"
    monkeypatch.setenv("CEJ_SIM_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli.status(["run", "old.yaml", "--runs", "1"])


# How it ends


def test_help_is_light() -> None:
    code = """
        import sys
        from cej_sim import cli
        status = [cli.status(words) for words in ([], ["--help"], ["compare", "--help"], ["nonsense"])]
        print(status, [name for name in sys.argv[1:] if name in sys.modules])
    """
    out, _ = in_a_process(*HEAVY, "rich", "pygments", code=code).communicate(timeout=60)
    assert out.splitlines()[-1] == "[0, 0, 0, 2] []"
    for command in ("list", "check", "run", "compare"):
        assert command in out
    assert "Compute a stored cell again and say whether it comes out the same." in " ".join(out.split())


def test_importing_the_package_is_light() -> None:
    code = """
        import sys
        import cej_sim
        from cej_sim import __version__
        print([name for name in sys.argv[1:] if name in sys.modules], len(__version__) > 0)
    """
    out, _ = in_a_process(*HEAVY, "typer", "rich", "pydantic", code=code).communicate(timeout=60)
    assert out.strip() == "[] True"


def test_checking_loads_no_heavy_library() -> None:
    code = """
        import sys
        from cej_sim import cli
        print(cli.status(["check", "old.yaml"]), [name for name in sys.argv[1:] if name in sys.modules])
    """
    heavy = ("mesa", "numba", "pandas", "matplotlib", "pyarrow", "networkx", "scipy")
    process = in_a_process(*heavy, code=code)
    out, _ = process.communicate(timeout=60)
    assert out.splitlines() == ["old.yaml: correct", "0 []"]


def test_wrong_input_has_status_2() -> None:
    process = in_a_process("check", "old.yaml", "nobody")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == "old.yaml: correct\n"
    assert err.startswith("nobody: ")


def test_a_reader_that_has_seen_enough_is_left_in_peace() -> None:
    process = in_a_process("check", "old.yaml")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(60)


def test_interrupting_leaves_a_clean_line_and_no_results() -> None:
    process = in_a_process("run", "old.yaml", "--runs", "100000", "--set", "community.residents=300", "--out", "out")
    assert process.stderr is not None
    seen = ""
    while not seen.startswith("The old way, 100000 runs ..."):
        seen = process.stderr.readline()
        assert seen, "it ended before it began to compute"
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(180) == 130
    assert rest.split() == ["Stopped."]
    assert not Path("out").exists()


# The package's own door


def test_the_public_names() -> None:
    for name in cej_sim.__all__:
        assert getattr(cej_sim, name) is not None
        assert name in dir(cej_sim)
    assert cej_sim.power.gini([1.0, 1.0]) == 0.0
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = cej_sim.nonsense


def test_the_example_of_the_docstring() -> None:
    old, new = cej_sim.load("old.yaml"), cej_sim.load(Path("new.yaml"))
    both = cej_sim.compare(old, new, runs=2, seed=1, months=6)
    assert set(both.monthly["scenario"]) == {"old", "new"}
    assert not both.table.empty
    assert both.plot().axes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--runs", "1000000000"], "--runs: 1000000000 runs of 12 months need about"),
        (["--runs", "٣"], "--runs: ٣ is not a whole number"),
        (["--runs", "1_0"], "--runs: 1_0 is not a whole number"),
        (["--runs", "9" * 5000], "999..."),
        (["--out", ""], "--out: there is no name"),
    ],
)
def test_odd_options_get_one_short_line(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["compare", "old.yaml", "new.yaml", "--months", "12", *options]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1
    assert len(err) < 250


@pytest.mark.parametrize(
    "encoding", [pytest.param("ascii", marks=pytest.mark.slow), "cp1252", pytest.param("utf-8", marks=pytest.mark.slow)]
)
def test_tables_survive_any_encoding(encoding: str) -> None:
    code = "import pictures, pytest; pictures.leave_empty(pytest.MonkeyPatch()); from cej_sim import cli; cli.main()"
    command = [sys.executable, "-c", code, "compare", "old.yaml", "new.yaml", "--runs", "2", "--months", "3"]
    path = os.pathsep.join([str(Path(cli.__file__).parents[1]), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    out = done.stdout.decode(encoding)
    assert "B − A" in out if encoding == "utf-8" else "B - A" in out
    assert "Written:" in out


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_no_digit_is_lost_to_a_narrow_terminal(columns: int) -> None:
    from rich.console import Console

    from cej_sim.comparison import render, render_summary, summary_table

    both = cej_sim.compare(cej_sim.load("old.yaml"), cej_sim.load("new.yaml"), runs=3, months=12)
    stream = io.StringIO()
    console = Console(file=stream, width=columns)
    console.print(render(both.table, both.titles, everything=True))
    console.print(render_summary(summary_table(both.monthly, "old"), "Old", everything=True))
    assert "…" not in stream.getvalue()
