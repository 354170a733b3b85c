"""Phase 9, evaluate: what is measured changes what is believed.

Signals of the true structural share sigma_k of issue k (stream SIGNAL, u of identity k, u' of identity K + k):

    official  = sigma_k (1 - mechanisms.measurement_bias * official_bias) + 0.04 (2 u - 1)
    community = sigma_k + 0.4 (2 u' - 1) / sqrt(residents who came, per table)
    signal    = (1 - m) official + m community,

m = community_indicators * (1 - control * delegated.data), and 0 in a month in which no resident came. (Official
indicators are precise but blind to context as far as they control for it; community indicators are unbiased and
noisier, the more so the fewer residents gather them, as in any sample; at least one.) With money e = evaluation money
per table and q = e / (e + 0.2): everybody who came: belief_ik += mechanisms.evaluation * 0.08 q (signal_k -
belief_ik), within [0, 1]. Corrections: fit_k += mechanisms.corrections * 0.03 q (0.4 + 0.6 m) (1 - fit_k). Gathering
community data takes residents who came m hours each (counted in experience.py). Numbers: assumed.
"""

from __future__ import annotations

import math

from cej_sim.compiled import kernel
from cej_sim.draws import SIGNAL, uniform
from cej_sim.forms import clip, saturating, zeros
from cej_sim.parameters import Parameter, mechanism
from cej_sim.state import EVALUATION, RESIDENT

RULES = (
    Parameter(
        "governance.evaluate.community_indicators",
        0.2,
        "Community indicators",
        "How far residents choose and gather what is measured; takes their hours.",
        effect=(("belief_error", -1), ("structural_effort", 1)),
        principle=5,
        condition="shared_measurement",
        factor=4,
        source="design: 0 for CI, .7 for CEJ",
    ),
    Parameter(
        "governance.evaluate.official_bias",
        0.36,
        "Context controlled away",
        "How much of the structural causes official indicators miss.",
        effect=(("belief_error", 1), ("structural_effort", -1)),
        principle=5,
        condition="shared_measurement",
        source="calibrated: experiments/calibration",
    ),
    mechanism(
        "evaluation",
        "Learning from evaluation",
        "Beliefs about root causes follow what is measured.",
        effect=(("belief_error", -1),),
    ),
    mechanism(
        "measurement_bias",
        "Bias of what is measured",
        "Official indicators understate structural causes.",
        effect=(("belief_error", 1),),
    ),
    mechanism(
        "corrections",
        "Corrections mid-course",
        "Evaluation improves the fit of programs.",
        effect=(("program_fit", 1),),
    ),
)


@kernel
def community_share(rules, c, kind, present):
    """The part of measurement that is the community's own this month."""
    for i in range(kind.size):
        if present[i] and kind[i] == RESIDENT:
            return rules.evaluate_community_indicators * (1.0 - c.control * rules.coordinate_delegated_data)
    return 0.0


@kernel
def evaluate(key, month, rules, c, K, tables, kind, present, structural, belief, fit, spend):
    """Let beliefs of those who came follow the signals, and programs be corrected."""
    m = community_share(rules, c, kind, present)
    gatherers = 0.0
    for i in range(kind.size):
        if present[i] and kind[i] == RESIDENT:
            gatherers += 1.0
    error = 0.4 / math.sqrt(max(1.0, gatherers / tables))
    quality = saturating(spend[EVALUATION] / tables, 0.2)
    rate = rules.mechanisms_evaluation * 0.08 * quality
    signal = zeros(K)
    for k in range(K):
        bias = rules.mechanisms_measurement_bias * rules.evaluate_official_bias
        official = structural[k] * (1.0 - bias) + 0.04 * (2.0 * uniform(key, k, month, SIGNAL) - 1.0)
        community = structural[k] + error * (2.0 * uniform(key, K + k, month, SIGNAL) - 1.0)
        signal[k] = (1.0 - m) * official + m * community
        fit[k] += rules.mechanisms_corrections * 0.03 * quality * (0.4 + 0.6 * m) * (1.0 - fit[k])
    for i in range(kind.size):
        if present[i]:
            for k in range(K):
                belief[i, k] = clip(belief[i, k] + rate * (signal[k] - belief[i, k]), 0.0, 1.0)
