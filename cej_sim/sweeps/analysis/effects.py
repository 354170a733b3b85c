"""Contrasts between cells, taken within each run: main effects, interactions, aliases, and the sums behind them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.sweeps.analysis.factors import is_ordered, levels
from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.shapley import Contrast, shapley_contrasts, swap_contrasts, with_shares
from cej_sim.sweeps.analysis.study import Analysis, Study
from cej_sim.sweeps.analysis.tables import count_of_cells, numbers_of, padded, with_differences
from cej_sim.sweeps.analysis.yes_no import paired_told


def main_effect_contrasts(
    study: Study, codes: Sequence[NDArray[np.int64]], words: Sequence[list[str]]
) -> Iterator[Contrast]:
    """Every level against the mean of all, and the last against the first."""
    for factor, code, names in zip(study.factors, codes, words, strict=True):
        row = {"factor": factor.name, "label": factor.label}
        count = np.bincount(code, minlength=len(names)).astype(float)
        for place, name in enumerate(names):
            if count[place]:
                weights = (code == place) / count[place] - 1.0 / len(code)
                yield Contrast("main_effects", {**row, "level": name}, weights)
        if is_ordered(factor, len(names)) and count[0] and count[-1]:
            last = len(names) - 1
            weights = (code == last) / count[-1] - (code == 0) / count[0]
            yield Contrast("main_effects", {**row, "level": "high - low"}, weights)


def interaction_contrasts(
    study: Study, codes: Sequence[NDArray[np.int64]], words: Sequence[list[str]]
) -> Iterator[Contrast]:
    """Half the difference of differences between the lowest and the highest level of two factors."""
    ordered = [place for place, factor in enumerate(study.factors) if is_ordered(factor, len(words[place]))]
    for i, j in combinations(ordered, 2):
        sign_i, sign_j = (_sign(codes[place], len(words[place])) for place in (i, j))
        weights = np.zeros(len(sign_i))
        corners = [(sign_i == one) & (sign_j == other) for one in (-1.0, 1.0) for other in (-1.0, 1.0)]
        if not all(corner.any() for corner in corners):
            continue
        for corner, sign in zip(corners, (0.5, -0.5, -0.5, 0.5), strict=True):
            weights[corner] = sign / corner.sum()
        row = {"factor_a": study.factors[i].name, "factor_b": study.factors[j].name}
        yield Contrast("interactions", row, weights)


def _sign(codes: NDArray[np.int64], count: int) -> Values:
    """+1 at the highest level, -1 at the lowest, 0 elsewhere."""
    return (codes == count - 1).astype(float) - (codes == 0).astype(float)


def aliases(signs: Sequence[Values], names: Sequence[str]) -> dict[tuple[str, ...], str]:
    """Which effects a two-level design cannot tell apart, up to interactions of two factors.

    Args:
        signs: Per factor -1 or +1 for every cell.
        names: The factors' names.

    Returns:
        (factor,) or (factor, factor) -> the others that share its column, as ``a*b, -c``; "" where there is none. A
        minus sign says that the other one counts with the opposite sign; a tilde, that they are only partly mixed.
    """
    columns: dict[tuple[str, ...], Values] = {(name,): sign for name, sign in zip(names, signs, strict=True)}
    for (a, sign_a), (b, sign_b) in combinations(zip(names, signs, strict=True), 2):
        columns[a, b] = sign_a * sign_b
    matrix = np.stack(list(columns.values()))
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = matrix @ matrix.T / np.sqrt(np.outer((matrix**2).sum(axis=1), (matrix**2).sum(axis=1)))
    keys = list(columns)
    found = {}
    for place, key in enumerate(keys):
        others = [
            ("~" if abs(alike[place, other]) < 1.0 - 1e-9 else "")
            + ("-" if alike[place, other] < 0.0 else "")
            + "*".join(keys[other])
            for other in range(len(keys))
            if other != place and abs(alike[place, other]) > 1e-9
        ]
        found[key] = ", ".join(others)
    return found


def planned_contrasts(found: Analysis, done: NDArray[np.bool_]) -> list[Contrast]:
    """The contrasts that this design allows; what it would allow were all cells done is remarked."""
    study, cells = found.study, found.cells
    if study.kind not in ("grid", "full_factorial", "fractional_factorial", "ablation") or not study.factors:
        return []
    ends = study.kind in ("full_factorial", "fractional_factorial")
    pairs = [levels(factor, cells[factor.name], ends) for factor in study.factors]
    codes, words = [code for code, _ in pairs], [names for _, names in pairs]
    two_level = all(len(names) == 2 for names in words)
    contrasts: list[Contrast] = []
    if two_level and study.kind in ("ablation", "full_factorial"):
        for one in swap_contrasts(study, codes, done):
            if isinstance(one, str):
                found.remarks.append(one)
            else:
                contrasts.append(one)
    table = np.stack(codes, axis=1)
    complete = len(table) == math.prod(len(names) for names in words) == len(np.unique(table, axis=0))
    if study.kind == "ablation" and not complete:
        return contrasts  # one unit at a time: there are no averages over the others
    if (table < 0).any():
        found.remarks.append("Some cells hold a value that is no level of its factor: no main effects are computed")
        return contrasts
    if not done.all():
        found.remarks.append(
            f"{count_of_cells(int((~done).sum()))} of {len(done)} not computed ({numbers_of(cells, ~done)}): averages "
            "over cells would not be balanced, so main effects, interactions and Shapley values are left out"
        )
        return contrasts
    contrasts += main_effect_contrasts(study, codes, words)
    contrasts += interaction_contrasts(study, codes, words)
    unordered = [f.label for f, names in zip(study.factors, words, strict=True) if not is_ordered(f, len(names))]
    if unordered and len(study.factors) > 1:
        found.remarks.append(
            f"No interactions with {', '.join(unordered)}: a choice among more than two has no lowest and highest level"
        )
    if complete and two_level and study.kind in ("ablation", "full_factorial"):
        contrasts += shapley_contrasts(study, codes)
    if study.kind == "fractional_factorial" and two_level:
        mixed = aliases([_sign(code, 2) for code in codes], [factor.name for factor in study.factors])
        contrasts = [
            Contrast(one.table, {**one.row, "aliases": mixed[_effect_key(one.row)]}, one.weights)
            for one in _once(contrasts)
        ]
        if any(others for key, others in mixed.items() if len(key) == 1):
            found.remarks.append(
                "This fraction cannot tell some main effects from interactions of two others; see column aliases"
            )
        elif any(mixed.values()):
            found.remarks.append(
                "This fraction cannot tell some interactions of two factors from each other; see column aliases"
            )
    return contrasts


def _once(contrasts: Sequence[Contrast]) -> Iterator[Contrast]:
    """Contrasts without those interactions that are the same number as one before; its column aliases names them."""
    known = set()
    for one in contrasts:
        if one.table == "interactions":
            if key_of(one.weights) in known:
                continue
            known.add(key_of(one.weights))
        yield one


def _effect_key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (row["factor"],) if "factor" in row else (row["factor_a"], row["factor_b"])


class Sums:
    """Contrasts summed up block by block, run by run."""

    def __init__(self, contrasts: Sequence[Contrast], runs: int, shape: tuple[int, int, int]) -> None:
        """Nothing summed up yet; the shape of a run is (scenarios, months, metrics)."""
        self._contrasts = list(contrasts)
        self._sum = np.zeros((len(self._contrasts), runs, *shape))
        self._missing = np.zeros((len(self._contrasts), runs, *shape), dtype=bool)
        self._weights = np.stack([one.weights for one in contrasts]) if contrasts else np.zeros((0, 0))

    def add(self, places: NDArray[np.int64], values: Values) -> None:
        """Add cells; values (runs, cells, scenarios, months, metrics)."""
        if not self._contrasts:
            return
        weights = self._weights[:, places]
        values = padded(values, self._sum.shape[1])
        gone = np.isnan(values)
        self._sum += np.einsum("jc,rcstm->jrstm", weights, np.where(gone, 0.0, values), optimize=True)
        if gone.any():
            self._missing |= np.einsum("jc,rcstm->jrstm", (weights != 0.0) * 1.0, gone * 1.0, optimize=True) > 0.0

    def finish(self, found: Analysis) -> dict[str, NDArray[np.bool_]]:
        """Put the tables of all contrasts into the analysis.

        Returns:
            Table -> which of its rows are no copies: neither of another contrast with the same cells (up to its sign
            and size), nor of another response, where a factor is set in one scenario only.
        """
        study, metrics = found.study, found.metrics
        counted: dict[str, list[NDArray[np.bool_]]] = {}
        known: set[bytes] = set()
        pairs = np.array([0.0] * len(study.names) + [1.0] * len(study.pairs))[:, None]
        parts: dict[str, list[pd.DataFrame]] = {}
        fewest = self._sum.shape[1]
        for contrast, total, missing in zip(self._contrasts, self._sum, self._missing, strict=True):
            values = with_differences(np.where(missing, np.nan, total), study)
            size = np.abs(contrast.weights).sum() / 2.0
            simple = (np.abs(contrast.weights) > 0.0).sum() == 2
            told = paired_told(np.zeros_like(values), values, metrics, size * (1.0 + pairs), simple & (pairs == 0.0))
            fewest = min(fewest, int(told["runs"].min()))
            shape = told["difference"].shape
            places = np.indices(shape).reshape(3, -1)
            amount = {"shapley": "value"}.get(contrast.table, "effect")
            row = dict(contrast.row)
            mixed = row.pop("aliases", None)
            level: dict[str, Any] = {key: row.pop(key) for key in ("level", "direction") if key in row}
            columns: dict[str, Any] = {
                **row,
                "response": np.array(study.responses, dtype=object)[places[0]],
                "metric": np.array([metric.name for metric in metrics], dtype=object)[places[2]],
                "month": np.array(found.months)[places[1]],
                **level,
                amount: told["difference"].reshape(-1),
                **{name: told[name].reshape(-1) for name in ("ci_low", "ci_high", "runs", "runs_differing")},
            }
            new = key_of(contrast.weights) not in known and not _is_against_baseline(found, contrast.weights)
            known.add(key_of(contrast.weights))
            own = np.array([new and response in _own_responses(study, contrast.row) for response in study.responses])
            counted.setdefault(contrast.table, []).append(own[places[0]])
            if contrast.table in ("interactions", "main_effects"):
                columns["aliases"] = mixed or ""
            parts.setdefault(contrast.table, []).append(pd.DataFrame(columns))
        for name, frames in parts.items():
            found.tables[name] = pd.concat(frames, ignore_index=True)
        if "shapley" in found.tables:
            found.tables["shapley"] = with_shares(found.tables["shapley"], found.tables["swaps"])
        if self._contrasts and fewest < self._sum.shape[1]:
            found.remarks.append(
                "Contrasts use only the runs that every cell in them has: cells have different numbers of runs, or "
                "coalitions have ended in some; column runs says how many are left"
            )
        return {name: np.concatenate(parts) for name, parts in counted.items()}


def key_of(weights: Values) -> bytes:
    """The same for weights that differ only in size and sign."""
    scaled = weights / (np.abs(weights).max() or 1.0)
    first = scaled[np.flatnonzero(np.abs(scaled) > 1e-9)[:1]]
    return (np.round(scaled * (np.sign(first[0]) if len(first) else 1.0), 9) + 0.0).tobytes()


def _is_against_baseline(found: Analysis, weights: Values) -> bool:
    """Whether it is a cell minus the baseline, which stands in a table of its own."""
    if found.study.baseline is None:
        return False
    places = np.flatnonzero(weights)
    return len(places) == 2 and int(found.study.baseline) in found.cells["cell"].to_numpy()[places]


def _own_responses(study: Study, row: Mapping[str, Any]) -> Sequence[str]:
    """The responses that an effect is not a copy in: with a factor of one scenario only, that one by itself."""
    names = {row.get(one) for one in ("factor", "factor_a", "factor_b")}
    only = [factor.scenario for factor in study.factors if factor.name in names and factor.scenario is not None]
    return only[:1] if only and study.common_luck else study.responses
