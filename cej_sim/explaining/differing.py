"""In which rules two scenarios differ, by principle, with the reasons that a file gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from cej_sim.explaining.words import amount, both_amounts, counted, plain, uncapitalized
from cej_sim.nodes import clean
from cej_sim.parameters import PRINCIPLES, Parameter
from cej_sim.scenario import GROUP, ISSUE, PARAMETERS, Scenario

_SETTINGS = {p.path.rpartition(".")[2]: p for p in (*GROUP, *ISSUE)}


class Difference(NamedTuple):
    """Something that differs: its path, what it is, its value on both sides, and the reason that the second gives."""

    path: str
    label: str
    a: str
    b: str
    reason: str


def _reason(b: Scenario, path: str) -> str:
    """Why the second scenario sets a path so: the reason given for it or for the nearest section around it."""
    reasons = dict(b.reasons)
    while path:
        for about in (path, clean(path)):  # long paths are kept shortened
            if about in reasons:
                return plain(reasons[about])
        path = path.rpartition(".")[0]
    return ""


def _group_of(parameter: Parameter) -> str:
    """The heading under which a differing parameter stands."""
    if parameter.principle is not None:
        return f"Principle {parameter.principle}: {PRINCIPLES[parameter.principle]}"
    section = parameter.path.partition(".")[0]
    return {"community": "Community", "network": "Network", "funder": "Money"}.get(section, "No principle")


_HEADINGS = (
    *(f"Principle {number_of}: {text}" for number_of, text in PRINCIPLES.items()),
    "No principle",
    "Community",
    "Groups",
    "Issues",
    "Network",
    "Money",
    "Events",
    "Length",
)


def _items(a: Sequence[Any], b: Sequence[Any], what: str, path: str, reason: str) -> list[Difference]:
    """Differing groups or issues, by name; and their order, where only that differs."""
    found = []
    in_a, in_b = ({item.name: item for item in items} for items in (a, b))
    for name in dict.fromkeys([*in_a, *in_b]):
        shown = plain(name)
        if name not in in_b:
            found.append(Difference(path, f"{what} {shown}", _item(in_a[name]), "not there", reason))
        elif name not in in_a:
            found.append(Difference(path, f"{what} {shown}", "not there", _item(in_b[name]), reason))
        else:
            for field in fields(in_a[name]):
                one, other = (getattr(items[name], field.name) for items in (in_a, in_b))
                if one != other:
                    parameter = _SETTINGS[field.name]
                    label = f"{shown}: {uncapitalized(parameter.label)}"
                    found.append(Difference(path, label, *both_amounts(parameter, one, other), reason))
    if not found and tuple(a) != tuple(b):
        one, other = (", ".join(plain(item.name) for item in items) for items in (a, b))
        found.append(Difference(path, "Order", one, other, reason))
    return found


def _item(item: Any) -> str:
    """A group or an issue in one line."""
    return ", ".join(
        f"{uncapitalized(_SETTINGS[field.name].label)} {amount(_SETTINGS[field.name], getattr(item, field.name))}"
        for field in fields(item)
        if field.name != "name"
    )


def _network_differences(a: Scenario, b: Scenario) -> list[Difference]:
    """Differing network files, and how they are read."""
    one, other = (scenario.resolved()["network_file"] for scenario in (a, b))
    if one == other:
        return []
    names = {
        "path": "File",
        "kind_column": "Column of kinds",
        "kind_map": "Kinds",
        "kind_default": "Kind of the others",
        "weight": "Column of strengths",
        "scale": "Full strength",
        "residents": "Generated residents",
        "nodes": "Table of nodes",
        "sha256": "Content of the file",
        "nodes_sha256": "Content of the table of nodes",
    }

    def told(content: Mapping[str, Any] | None, key: str) -> str:
        if content is None:
            return "generated" if key == "path" else "none"
        value = content.get(key)
        if key == "kind_map":
            return ", ".join(f"{plain(word)}: {kind}" for word, kind in value or ()) or "none"
        if key.endswith("sha256"):
            return f"fingerprint {value[:12]}" if value else "none"
        return "none" if value is None else plain(str(value))

    keys = [key for key in names if (one or {}).get(key) != (other or {}).get(key)]
    if one is None or other is None:
        keys = ["path"]
    return [
        Difference(f"network.{key}", names[key], told(one, key), told(other, key), _reason(b, "network"))
        for key in keys
    ]


def _event_differences(a: Scenario, b: Scenario) -> list[Difference]:
    """Rules that only one of the two changes in a month and way, or changes to another value; in dated order."""
    if a.events == b.events:
        return []
    left, right = list(a.events), list(b.events)
    for event in a.events:
        if event in right:
            left.remove(event)
            right.remove(event)
    rows = []
    reason = _reason(b, "events")
    for event in list(left):
        twin = next((other for other in right if other.set == event.set), None)
        if twin is not None:
            left.remove(event)
            right.remove(twin)
            what = uncapitalized(PARAMETERS[event.set[0][0]].label)
            more = f" and {counted(len(event.set) - 1, 'rules')} more" if len(event.set) > 1 else ""
            when_a, when_b = (f"month {each.month} ({each.by})" for each in (event, twin))
            rows.append(Difference("events", f"Change of {what}{more}", when_a, when_b, reason))
    found: dict[tuple[int, str, str], tuple[list[str], list[str]]] = {}
    for side, events in enumerate((left, right)):
        for event in events:
            for path, value in event.set:
                told = found.setdefault((event.month, event.by, path), ([], []))[side]
                told.append(amount(PARAMETERS[path], value, 5))
    order = list(PARAMETERS)
    for (month, by, path), (one, other) in sorted(
        found.items(), key=lambda i: (i[0][0], i[0][1], order.index(i[0][2]))
    ):
        if one != other:
            label = f"Month {month} ({by}): {uncapitalized(PARAMETERS[path].label)}"
            then_a, then_b = (", then ".join(values) or "-" for values in (one, other))
            rows.append(Difference("events", label, then_a, then_b, reason))
    if not rows:
        bundle_a, bundle_b = (
            "; ".join(f"month {event.month}, {event.by}: {counted(len(event.set), 'rules')}" for event in events)
            for events in (a.events, b.events)
        )
        rows.append(Difference("events", "How changes are bundled and ordered", bundle_a, bundle_b, reason))
    return rows


def differences(a: Scenario, b: Scenario) -> dict[str, list[Difference]]:
    """Everything that decides numbers and differs between two scenarios, by heading.

    Headings are the CEJ principles (1 to 6) and "No principle" for rules, then community, groups, issues, network,
    money, events and length. Names, labels, descriptions, reasons and predictions decide nothing and do not count.
    """
    found: dict[str, list[Difference]] = {heading: [] for heading in _HEADINGS}
    for path, parameter in PARAMETERS.items():
        one, other = a.values[path], b.values[path]
        if one != other:
            shown = both_amounts(parameter, one, other)
            found[_group_of(parameter)].append(Difference(path, parameter.label, *shown, _reason(b, path)))
    found["Groups"] += _items(a.groups, b.groups, "Group", "community.groups", _reason(b, "community.groups"))
    found["Issues"] += _items(a.issues, b.issues, "Issue", "issues", _reason(b, "issues"))
    found["Network"] += _network_differences(a, b)
    found["Events"] += _event_differences(a, b)
    if a.months != b.months:
        found["Length"].append(
            Difference("months", "Months", f"{a.months} months", f"{b.months} months", _reason(b, "months"))
        )
    return {heading: rows for heading, rows in found.items() if rows}
