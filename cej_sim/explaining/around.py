"""What stands around the phases: people, network, feedbacks, events, predictions; and what no sentence mentions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cej_sim.explaining.phases import barred
from cej_sim.explaining.rules import Rules
from cej_sim.explaining.words import both_amounts, counted, number, percent, plain, uncapitalized
from cej_sim.metrics import METRICS
from cej_sim.month import PHASE_NAMES, PHASES, RULES
from cej_sim.parameters import Parameter, Value
from cej_sim.scenario import DEFAULT_GROUPS, DEFAULT_ISSUES, PARAMETERS, Event, Scenario, defaults

#: How many changes of an event are told one by one; more are gathered by phase.
FEW = 6

_METRIC = {metric.name: metric for metric in METRICS}
_PHASE_OF = {rule.path: name for name, (module, _) in zip(PHASE_NAMES, PHASES, strict=True) for rule in module.RULES}


def also(s: Rules, parameters: Iterable[Parameter]) -> list[str]:
    """What is not as usual and was not told: values that act, and values without effect."""
    usual = defaults()
    acting, idle = [], []
    for parameter in parameters:
        value = s.values[parameter.path]
        if parameter.path.startswith("mechanisms.") or value == usual[parameter.path]:
            continue
        now, before = both_amounts(parameter, value, usual[parameter.path])
        if parameter.path in s.idle:
            idle.append(f"{uncapitalized(parameter.label)}, {now} ({s.idle[parameter.path]})")
        elif parameter.path not in s.said:
            acting.append(f"{uncapitalized(parameter.label)}, {now} (usually {before})")
    lines = [f"Not as usual: {'; '.join(acting)}."] if acting else []
    return [*lines, f"Without effect here: {'; '.join(idle)}."] if idle else lines


def community(s: Rules) -> list[str]:
    """Who lives there, where they are not the usual people."""
    scenario = s.scenario
    places = int(s["community.neighborhoods"]) or max(1, round(s.residents / 20))
    s["community.residents"], s["community.institutions"], s["community.organizers"], s["community.tables"]
    said = [
        f"{counted(s.residents, 'residents')} in {counted(min(places, s.residents), 'neighborhoods')}, "
        f"{counted(s.institutions, 'institutions')} and {counted(s.organizers, 'organizers')}, at "
        f"{'one table' if s.tables == 1 else counted(s.tables, 'tables')}, for {counted(s.months, 'months')}."
    ]
    if scenario.groups != DEFAULT_GROUPS:
        mean = sum(group.share * group.exposure for group in scenario.groups) / sum(g.share for g in scenario.groups)
        told = [
            f"{plain(group.name)} ({percent(group.share)} of residents, exposure {number(group.exposure)}, barriers "
            f"{number(group.barriers)}, voice {number(group.voice)}"
            f"{'; among the most affected' if group.exposure > mean + 1e-12 else ''})"
            for group in scenario.groups
        ]
        said.append(f"Groups of residents: {', '.join(told)}.")
    if scenario.issues != DEFAULT_ISSUES:
        told = [
            f"{plain(issue.name)} ({percent(issue.structural)} structural"
            + (f", severity {number(issue.severity)}" if issue.severity != 1 else "")
            + (f", skew {number(issue.skew)}" if issue.skew else "")
            + (f", regrowth {number(issue.regrowth)}" if issue.regrowth != 0.01 else "")
            + ")"
            for issue in scenario.issues
        ]
        said.append(f"Issues: {', '.join(told)}.")
    return said


def network(s: Rules) -> list[str]:
    """The network, where it is imported or of another family than usual."""
    file = s.scenario.network_file
    family = str(s["network.generate"])
    if file is None:
        words = {
            "small_world": "a small world: mostly close ties, and a few far ones",
            "stochastic_blocks": "blocks: neighborhoods with many ties inside",
            "preferential_attachment": "one in which few people know very many",
        }
        return [f"The network is {words[family]}."] if family in words else []
    people = (
        "the file holds the residents, too"
        if file.residents is None
        else f"residents' ties are generated ({file.residents})"
    )
    ties = (
        f"ties are as strong as {plain(file.weight)} says ({number(file.scale)} is full strength)"
        if file.weight
        else "all ties are equally strong"
    )
    said = [f"The network comes from {plain(file.path.name)}: {people}, and {ties}."]
    if file.kind_column:
        kinds = [f"{plain(word)} is {kind}" for word, kind in file.kind_map]
        other = f"the others {file.kind_default}" if file.kind_default else "no others are allowed"
        said.append(f"Column {plain(file.kind_column)} tells who is what: {', '.join([*kinds, other])}.")
    return said


def mechanisms(s: Rules) -> list[str]:
    """Which feedbacks of the model are switched off or weakened."""
    gains = [rule for rule in RULES if rule.path.startswith("mechanisms.")]
    off = [rule for rule in gains if s.values[rule.path] == 0]
    weak = [rule for rule in gains if 0 < float(s.values[rule.path]) < 1]
    if not off and not weak:
        return ["No feedback of the model is switched off."]
    said = []
    if len(off) == len(gains):
        said.append("Every feedback of the model is switched off.")
    elif off:
        said.append(f"Switched off: {'; '.join(uncapitalized(rule.label) for rule in off)}.")
    if weak:
        told = [f"{uncapitalized(rule.label)} ({percent(float(s.values[rule.path]))})" for rule in weak]
        said.append(f"Weakened: {'; '.join(told)}.")
    return said


def events(scenario: Scenario) -> list[str]:
    """What changes when, in dated order."""
    current = dict(scenario.values)
    lines = []
    for event in sorted(scenario.events, key=lambda event: event.month):
        about = str(current["governance.reform.motions_about"])
        how = "by order (mandate)" if event.by == "mandate" else "if a vote passes (motion)"
        if event.by == "motion" and barred(event, about):
            how = "by a motion, which the rules keep from coming to a vote"
        changes: dict[str, list[str]] = {}
        same = 0
        for path, value in sorted(event.set, key=lambda change: list(PARAMETERS).index(change[0])):
            parameter = PARAMETERS[path]
            if value == current[path]:
                same += 1
                continue
            old, new = both_amounts(parameter, current[path], value)
            label = uncapitalized(parameter.label).replace(" at the start", " (set at once)")
            changes.setdefault(_PHASE_OF[path], []).append(f"{label}: {old} -> {new}")
        told = [change for of_phase in changes.values() for change in of_phase]
        head = f"Month {event.month}, {how}"
        if not told:
            lines.append(f"{head}: all as it is.")
        elif len(told) <= FEW:
            lines.append(f"{head}: {'; '.join(told)}.")
        else:
            lines.append(f"{head}, {len(told)} rules change:")
            lines += [f"  {phase}: {'; '.join(of_phase)}." for phase, of_phase in changes.items()]
        if told and same:
            lines.append(f"  ({counted(same, 'rules')} named there {'stays' if same == 1 else 'stay'} as set.)")
        lines += [f"  {told}" for told in _with_others(event, current)]
        if event.by == "mandate":
            current |= dict(event.set)
    return lines


def _with_others(event: Event, current: Mapping[str, Value]) -> list[str]:
    """What an event means together with the rules that stand: the votes that result, and who stays seated."""
    after = {**current, **dict(event.set)}
    told = []
    votes = "governance.decide.votes"
    shares = [float(after[f"{votes}.{bloc}"]) for bloc in ("residents", "institutions", "backbone")]
    total = sum(shares)
    set_votes = any(path.startswith(f"{votes}.") for path, _ in event.set)
    if set_votes and after[f"{votes}.counted"] == "blocs" and total > 0 and abs(total - 1) > 1e-9:
        held = [percent(share / total) if share else "none" for share in shares]
        told.append(
            f"(The votes then add up to {percent(total)} and are rescaled: residents hold {held[0]}, institutions "
            f"{held[1]} and the backbone {held[2]}.)"
        )
    for who in ("residents", "institutions"):
        base = "governance.convene"
        waits = float(after[f"{base}.{who}_from"]) > event.month >= float(current[f"{base}.{who}_from"])
        fewer = float(after[f"{base}.seats.{who}"]) < float(current[f"{base}.seats.{who}"])
        if waits:
            month = number(float(after[f"{base}.{who}_from"]))
            told.append(f"({who.capitalize()} who sit by then stay and vote; others may join from month {month} on.)")
        elif fewer:
            told.append(f"({who.capitalize()} who sit by then stay and vote, also where there are fewer seats.)")
    return told


def expectations(scenario: Scenario) -> list[str]:
    """What the file predicts."""
    return [
        f"In month {expected.month}, '{uncapitalized(_METRIC[expected.metric].label)}' ({expected.metric}) will be "
        f"{'higher' if expected.direction == 'up' else 'lower'} than in {plain(expected.against)}."
        for expected in scenario.expect
    ]
