"""What a sweep shows, and how surely: tables from tables.

Nothing here knows a scenario or a model. A sweep is a table of cells (one combination of factors each), rows of
results by cell, scenario and run, and a short description of the design. Every interval is over runs: a contrast
between cells is taken within each run, which common luck makes far narrower than comparing means, and then a t
interval is put over the runs. An interval that includes 0 cannot tell; nothing is ever added up into one score.

==================  ==================================================================================
``study``           what is known of the design, and what is found
``differences``     cell by cell: outcomes, differences, against the baseline, who is ahead, failures
``effects``         main effects, interactions, aliases
``shapley``         parts of an ablation swapped, Shapley values
``screening``       Morris
``sobol``           Sobol's indices and their intervals
``correlations``    rank correlations
``enough_runs``     whether there are enough runs
``probes``          causal influence and irreversibility
``dictionary``      what the columns mean
``everything``      all of it, in one pass over the rows
==================  ==================================================================================

``intervals``, ``yes_no``, ``factors``, ``tables`` and ``sampled`` hold what these share.
"""

from __future__ import annotations

from cej_sim.sweeps.analysis.correlations import rank_correlation
from cej_sim.sweeps.analysis.dictionary import MEANINGS, data_dictionary
from cej_sim.sweeps.analysis.effects import aliases
from cej_sim.sweeps.analysis.enough_runs import TARGET, targets
from cej_sim.sweeps.analysis.everything import analyze
from cej_sim.sweeps.analysis.factors import levels, plain, unit_interval
from cej_sim.sweeps.analysis.intervals import (
    NOT_COMPUTED,
    SURE,
    VERDICTS,
    Values,
    half_width,
    is_sure,
    runs_needed,
    verdicts,
    welch,
)
from cej_sim.sweeps.analysis.probes import (
    AREA,
    BLOCS,
    DRIFT,
    INFLUENCE,
    NET,
    NO_MONTH,
    Question,
    probed,
    summarize_probes,
)
from cej_sim.sweeps.analysis.sampled import RESAMPLES
from cej_sim.sweeps.analysis.shapley import (
    ALL_FACTORS,
    DIRECTIONS,
    INTO_A,
    OTHERS_HIGH,
    OTHERS_LOW,
    OUT_OF_B,
    shapley_weights,
)
from cej_sim.sweeps.analysis.sobol import sobol_intervals
from cej_sim.sweeps.analysis.study import (
    Analysis,
    FactorLike,
    ProbeLike,
    Sink,
    Study,
    Target,
    choose_metrics,
    choose_months,
    study_of,
)
from cej_sim.sweeps.analysis.yes_no import newcombe, paired_change, wilson

__all__ = [
    "ALL_FACTORS",
    "AREA",
    "BLOCS",
    "DIRECTIONS",
    "DRIFT",
    "INFLUENCE",
    "INTO_A",
    "MEANINGS",
    "NET",
    "NOT_COMPUTED",
    "NO_MONTH",
    "OTHERS_HIGH",
    "OTHERS_LOW",
    "OUT_OF_B",
    "RESAMPLES",
    "SURE",
    "TARGET",
    "VERDICTS",
    "Analysis",
    "FactorLike",
    "ProbeLike",
    "Question",
    "Sink",
    "Study",
    "Target",
    "Values",
    "aliases",
    "analyze",
    "choose_metrics",
    "choose_months",
    "data_dictionary",
    "half_width",
    "is_sure",
    "levels",
    "newcombe",
    "paired_change",
    "plain",
    "probed",
    "rank_correlation",
    "runs_needed",
    "shapley_weights",
    "sobol_intervals",
    "study_of",
    "summarize_probes",
    "targets",
    "unit_interval",
    "verdicts",
    "welch",
    "wilson",
]
