"""In how many cells each scenario is ahead, as a table."""

from __future__ import annotations

from cej_sim.comparison import when
from cej_sim.report import data_cell, family_row, header_row, html_table, named, table_row
from cej_sim.sweeps.analysis import Analysis
from cej_sim.sweeps.page.about import About
from cej_sim.sweeps.page.words import COUNTED, region_counts


def regions_table(found: Analysis, about: About) -> str:
    """In how many cells each is ahead, a table for each pair and month."""
    parts = []
    for a, b in found.study.pairs:
        title_a, title_b = about.titles.get(a, a), about.titles.get(b, b)
        words = (title_a, title_b, "Cannot tell", "No difference seen", "Ended or not computed")
        head = header_row([("Outcome", False), *((word, True) for word in words)])
        for month in found.months:
            rows, family = [], ""
            for metric, counts in region_counts(found, a, b, month):
                if metric.family != family:
                    family = metric.family
                    rows.append(family_row(family, 6))
                numbers = [sum(counts.get(word, 0) for word in which) for _, which in COUNTED]
                rows.append(
                    table_row(
                        named(metric),
                        (data_cell(word, f"{n:,}", "number") for word, n in zip(words, numbers, strict=True)),
                    )
                )
            caption = f"Number of cells in which each is ahead, {when(month)} (without an arrow: is higher)"
            parts.append(html_table(caption, head, rows))
    return "".join(parts)
