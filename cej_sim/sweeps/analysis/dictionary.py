"""What the columns of all tables mean."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cej_sim.sweeps.analysis.study import Study

_METRIC_UNIT = "the metric's unit"

#: Column -> its unit and meaning; a factor's column takes both from the factor.
MEANINGS: dict[str, tuple[str, str]] = {
    "cell": ("", "Number of the cell, as in cells.csv"),
    "scenario": ("", "Name of the scenario; of a difference, B - A"),
    "scenario_a": ("", "Name of the scenario called a"),
    "scenario_b": ("", "Name of the scenario called b"),
    "response": ("", "What is analyzed: a scenario by itself, or the difference B - A of two, paired run by run"),
    "metric": ("", "Name of the outcome; the page defines it"),
    "month": ("months", "Month after the start; -1 where a number belongs to no month"),
    "factor": ("", "Name of the factor, or all together"),
    "factor_a": ("", "Name of the one factor"),
    "factor_b": ("", "Name of the other factor"),
    "label": ("", "Factor or cell in plain words"),
    "level": ("", "Level of the factor; high - low is the last level minus the first"),
    "direction": (
        "",
        "Between which two cells: with the part and without it, in A, which has none of the others, or in B",
    ),
    "mean": (_METRIC_UNIT, "Mean over runs"),
    "sd": (_METRIC_UNIT, "Standard deviation over runs"),
    "low10": (_METRIC_UNIT, "10th percentile over runs"),
    "high90": (_METRIC_UNIT, "90th percentile over runs"),
    "runs": ("runs", "Number of runs, or of pairs of runs, behind the row"),
    "a": (_METRIC_UNIT, "Mean of scenario a"),
    "b": (_METRIC_UNIT, "Mean of scenario b"),
    "difference": (_METRIC_UNIT, "Mean of b - a within runs; or of the cell minus the baseline"),
    "ci_low": (_METRIC_UNIT, "Lower bound of the 95% interval"),
    "ci_high": (_METRIC_UNIT, "Upper bound of the 95% interval"),
    "effect_size": ("standard deviations", "Difference over its standard deviation from pair to pair (d_z)"),
    "p_better": ("share", "Share of runs in which b does better, ties half; missing without a better direction"),
    "verdict": (
        "",
        "Who does better or is higher; cannot tell where the interval includes 0; no difference: same in every run",
    ),
    "baseline": (_METRIC_UNIT, "Mean of the cell that others are set against"),
    "value": (_METRIC_UNIT, "Mean of this cell"),
    "effect": (_METRIC_UNIT, "Mean of the contrast between cells, taken within runs"),
    "aliases": (
        "",
        "Other effects that are the same number in this fraction (a*b: interaction; -: opposite sign; ~: partly)",
    ),
    "share": ("share", "Part of the whole"),
    "mu": (_METRIC_UNIT, "Mean effect of moving the factor over its whole range"),
    "mu_star": (_METRIC_UNIT, "Mean size of that effect, whatever its sign"),
    "mu_star_conf": (_METRIC_UNIT, "Half-width of the 95% t interval of mu_star over trajectories"),
    "sigma": (_METRIC_UNIT, "Standard deviation of that effect over where the other factors stand"),
    "trajectories": ("", "Number of complete trajectories used"),
    "S1": ("share of variance", "Part of the variance that goes back to the factor alone"),
    "S1_low": ("share of variance", "Lower bound of the 95% interval of S1, by a studentized bootstrap over rows"),
    "S1_high": ("share of variance", "Upper bound of the 95% interval of S1"),
    "ST": ("share of variance", "Part of the variance in which the factor has any part"),
    "ST_low": ("share of variance", "Lower bound of the 95% interval of ST, by a studentized bootstrap over rows"),
    "ST_high": ("share of variance", "Upper bound of the 95% interval of ST"),
    "S2": ("share of variance", "Part of the variance that goes back to the interaction of the two factors"),
    "S2_low": ("share of variance", "Lower bound of the 95% interval of S2, by a studentized bootstrap over rows"),
    "S2_high": ("share of variance", "Upper bound of the 95% interval of S2"),
    "samples": ("", "Number of complete rows of Saltelli's design used"),
    "correlation": ("", "Spearman's rank correlation of factor and outcome over cells"),
    "cells": ("cells", "Number of cells"),
    "half_width": (_METRIC_UNIT, "Half the width of the 95% interval"),
    "target": (_METRIC_UNIT, "Half-width asked for: by the design, else by the unit (assumed)"),
    "relative_half_width": ("ratio", "Half-width over the size of the effect: above 1 the interval includes 0"),
    "asked": ("", "Whether the design asks for this target; else it is assumed"),
    "runs_differing": ("runs", "Runs in which it is not 0; where there is none it changed nothing in any run"),
    "runs_needed": ("runs", "Fewest runs whose interval would be as narrow as the target, if runs vary as they did"),
    "runs_needed_90": ("runs", "The same, enough for nine cells of ten"),
    "cells_precise": ("cells", "Number of cells whose interval is as narrow as the target"),
    "share_precise": ("share", "The same, as a part of the cells with an interval"),
    "error": ("", "Why the cell has no numbers"),
    "seed": ("", "Seed of the cell, with which it can be computed again"),
    "probe": ("", "Kind of probe; irreversibility_net is the area minus the drift, what moving the rule leaves behind"),
    "table": ("", "Name of the table"),
    "intervals": ("", "Number of intervals in it that have a width; copies of one number count once"),
    "sure": ("", "How many of them exclude 0"),
    "expected_by_chance": ("", "How many would, on average, if nothing differed at all: one in twenty"),
    "file": ("", "Name of the file"),
    "column": ("", "Name of the column"),
    "type": ("", "Whole number, number or text"),
    "unit": ("", "Unit of the column"),
    "meaning": ("", "Meaning of the column"),
}

_PROBE_UNIT = "of causal influence: agenda moved per conviction moved; of irreversibility: the metric's unit"

_ASKED = "Of causal influence: whose it is; of irreversibility: name of the outcome"

_SPECIAL: dict[tuple[str, str], tuple[str, str]] = {
    ("probes", "metric"): ("", _ASKED),
    ("probe_differences", "metric"): ("", _ASKED),
    ("probes_against_baseline", "metric"): ("", _ASKED),
    ("probe_swaps", "metric"): ("", _ASKED),
    ("probe_differences", "verdict"): ("", "Which scenario is higher; cannot tell where the interval includes 0"),
    ("probe_swaps", "verdict"): (
        "",
        "b higher or lower: the part raises or lowers it; cannot tell: interval includes 0",
    ),
    ("probe_swaps", "effect"): (_PROBE_UNIT, "With the part minus without it, mean within runs"),
    ("probes_against_baseline", "effect_size"): (
        "standard deviations",
        "Difference over its standard deviation: from pair to pair with common luck (d_z), pooled with luck of its own",
    ),
    **{
        (table, column): (_PROBE_UNIT, MEANINGS[column][1])
        for table, columns in (
            ("probes", ("mean", "sd", "ci_low", "ci_high")),
            ("probe_differences", ("a", "b", "difference", "ci_low", "ci_high")),
            ("probes_against_baseline", ("baseline", "value", "difference", "ci_low", "ci_high")),
            ("probe_swaps", ("ci_low", "ci_high")),
        )
        for column in columns
    },
    ("against_baseline", "effect_size"): (
        "standard deviations",
        "Difference over its standard deviation: from pair to pair with common luck (d_z), pooled with luck of its own",
    ),
    ("shapley", "value"): (_METRIC_UNIT, "Shapley value: mean contribution of the part over all orders of putting in"),
    ("shapley", "share"): ("share", "Value over the whole difference; missing where that may be none at all"),
    ("regions", "share"): ("share", "Number of cells over that of all cells of the design"),
    ("interactions", "effect"): (_METRIC_UNIT, "Half the difference of differences between highest and lowest levels"),
    ("main_effects", "effect"): (_METRIC_UNIT, "Mean at the level minus the mean over all cells, taken within runs"),
    ("swaps", "effect"): (_METRIC_UNIT, "With the part minus without it; of plain factors: last level minus first"),
    ("correlations", "ci_low"): ("", "Lower bound of the 95% interval over cells"),
    ("correlations", "ci_high"): ("", "Upper bound of the 95% interval over cells"),
    ("precision_summary", "cells"): ("cells", "Number of cells with an interval"),
    ("precision_summary", "half_width"): (_METRIC_UNIT, "Half the width of the 95% interval, median over cells"),
    ("precision_summary", "relative_half_width"): (
        "ratio",
        "Half-width over the size of the effect, median over cells",
    ),
    ("precision_summary", "runs"): ("runs", "Number of runs, median over cells"),
    ("precision_summary", "runs_needed"): ("runs", "Runs that would be enough for every cell"),
}


def data_dictionary(study: Study, columns: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """What every column of every file means: ``file column type unit meaning``.

    Args:
        study: The design, for its factors.
        columns: Table -> column -> type, as in ``Analysis.columns``.

    Raises:
        KeyError: If a column has no meaning.
    """
    factors = {factor.name: factor for factor in study.factors}
    own = {"data_dictionary": dict.fromkeys(("file", "column", "type", "unit", "meaning"), "text")}
    rows = []
    for table, types in [*columns.items(), *own.items()]:
        for name, kind in types.items():
            factor = factors.get(name.removesuffix(" (factor)"))
            if (table, name) in _SPECIAL:
                unit, meaning = _SPECIAL[table, name]
            elif name in MEANINGS and not name.endswith(" (factor)"):
                unit, meaning = MEANINGS[name]
            elif factor is not None:
                unit, meaning = factor.unit, f"Factor: {factor.label}"
                if factor.unit == "swapped":
                    unit, meaning = "0 or 1", f"{meaning}; 1 where it is as in the second scenario"
            else:
                raise KeyError(f"{table}: the column {name} has no meaning")
            rows += [(f"{table}.{ending}", name, kind, unit, meaning) for ending in ("csv", "parquet")]
    return pd.DataFrame(rows, columns=["file", "column", "type", "unit", "meaning"])
