"""What the rules of each phase mean together, a function a phase; names and descriptions are never looked at."""

from __future__ import annotations

from collections.abc import Callable

from cej_sim.explaining.rules import Rules
from cej_sim.explaining.words import counted, how, listed, number, part_of, percent
from cej_sim.scenario import PARAMETERS, Event, defaults
from cej_sim.state import BUDGET_LINES

_LINE_NAMES = {
    "coordination": "coordination",
    "organizing": "organizing",
    "supports": "supports for taking part (child care, transport, interpretation)",
    "training": "training",
    "evaluation": "evaluation",
    "action": "action (programs and campaigns)",
}
_SHORT = {**{line: line for line in BUDGET_LINES}, "supports": "supports for taking part"}


def _convene(s: Rules) -> list[str]:
    residents, institutions, cut = s.seats()
    open_shares = s["convene.seats.residents"], s["convene.seats.institutions"]

    def seats(number_of: int, of: int, kind: str) -> str:
        if not number_of:
            return f"none of the {of:,} {kind}"
        return f"all {of:,} {kind}" if number_of >= of else f"{number_of:,} of the {of:,} {kind}"

    about = "about " if s.tables > 1 else ""
    tables = "The table has" if s.tables == 1 else f"The {s.tables:,} tables together have"
    each = "one for the backbone" if s.tables == 1 else "one at each for the backbone"
    said = [
        f"{tables} seats for {about}{seats(residents, s.residents, 'residents')}, for "
        f"{about}{seats(institutions, s.institutions, 'institutions')}, and {each}."
    ]
    if cut:
        asked = f"{percent(open_shares[0])} of residents and {percent(open_shares[1])} of institutions"
        said.append(f"More should be open ({asked}), but a table holds only {number(s['convene.table_cap'])} people.")

    first, second = s.joins("residents"), s.joins("institutions")
    s["convene.residents_from"], s["convene.institutions_from"]
    if min(first, second) > 1:
        who = "everybody" if first == second else "residents" if first < second else "institutions"
        said.append(f"Before month {min(first, second)} nobody but the backbone has a seat; then {who} may join.")
    if first != second:
        late, early, month = (
            ("residents", "institutions", first) if first > second else ("institutions", "residents", second)
        )
        if month > s.months:
            said.append(f"{late.capitalize()} never join: they could from month {month} on, after the end.")
        else:
            said.append(
                f"{late.capitalize()} may sit from month {month} on, {early} from month {min(first, second)}: "
                f"{late} meet rules, an agenda and a budget that were decided without them."
            )

    invitation = s["convene.invitation"]
    if invitation == "by_ties":
        liking = s["convene.agreement"]
        prefer = f", and more gladly those who already agree (extra weight {number(liking)})" if liking else ""
        said.append(
            f"Members bring people they already know{prefer}; whoever knows nobody at the table is hardly asked."
        )
    else:
        s.without_effect("people are not invited by ties", "convene.agreement")
    if invitation == "by_lot":
        said.append("Free seats are offered by lot: everybody has the same chance, known at the table or not.")
    elif invitation == "by_election":
        said.append("Neighborhoods elect who sits, so those with many ties at home and confidence are chosen.")
    elif invitation == "one_to_one":
        talks = 2 + 3 * s.money("organizing") / s.tables
        more = "as leaders arise among those at the table"
        if not s.organizers:
            more += " (there are no organizers to pay)"
        elif not s.never_pays("organizing"):
            more = f"with more money for organizing, and {more}"
        said.append(
            "People are asked in person, also those whom nobody at the table knows: about "
            f"{number(talks * s.tables, 2)} residents a month at the start can be invited in such conversations; more "
            f"{more}."
        )

    naming, language = s["convene.naming"], s["convene.plain_language"]
    if s["mechanisms.naming"] == 0 or s.never("convene.naming"):
        unheard = "injustice is not named, or naming does nothing"
        s.without_effect(unheard, "coefficients.unease", "coefficients.calling")
    if s["mechanisms.naming"] == 0:
        s.without_effect("the mechanism is switched off, but for the meeting time it takes", "convene.naming")
        said.append("Naming injustice neither draws nor repels anybody (switched off).")
    elif naming:
        said.append(
            f"Meetings {how(naming, 'name injustice')}, which speaks to those of the most affected who see it "
            "too and unsettles people without power; it strains institutions with a stake in things as they are and "
            "moves open ones to do more."
        )
    else:
        said.append(
            "Injustice is not named, which spares institutions and whoever feels uneasy, and gives the most affected "
            "less reason to come."
        )
    supports = s.money("supports") / max(1, residents)
    takes = s["convene.take_up"] * supports / (supports + 0.05)
    paid = f"lower barriers by up to {percent(0.7 * takes, 2)}" if takes > 0 else "lower no barrier"
    helps = how(s["convene.take_up"], "help people") if s["convene.take_up"] else "help nobody"
    said.append(
        f"Meetings are {how(language, 'held| in plain language')}. Supports for taking part, where paid for, {helps}: "
        f"with the money of the start they {paid}."
    )
    quorum = s["convene.quorum"]
    said.append(
        f"A table decides only if {part_of(quorum, 'its members')} came."
        if quorum
        else "A table decides however few came."
    )
    return said


def _deliberate(s: Rules) -> list[str]:
    said = []
    theta = s["mechanisms.influence"] * s["coefficients.susceptibility"]
    if theta == 0:
        said.append("Nobody's views move those of others.")
        s.without_effect("views do not move along ties", "deliberate.influence", "deliberate.radius")
    elif s["deliberate.influence"] == "friedkin_johnsen":
        said.append(
            "People listen to everybody they are tied to and keep a pull to their own convictions; for the most open, "
            f"others weigh {percent(theta)}."
        )
        s.without_effect("people listen to all whom they know", "deliberate.radius")
    else:
        radius = s["deliberate.radius"]
        said.append(
            f"People listen only to those who already think alike (within {percent(radius)} of their own view), so "
            f"camps can stay apart; for the most open, others weigh {percent(theta)}."
        )
    level, real = s["deliberate.facilitation"], s.facilitated()
    leak = round(s["mechanisms.leakage"] * 0.5 * (1 - real), 9)
    if not level:
        said.append("Nobody facilitates the meetings.")
    elif real < level - 1e-9:
        said.append(
            f"Meetings should be {how(level, 'facilitated')}, but the coordination money of the start pays for "
            f"{percent(real)} only."
        )
    else:
        said.append(f"Meetings are {how(level, 'facilitated')}, paid from coordination money.")
    said.append(
        f"{percent(leak)} of the weight in decisions leaks to those with standing, skill and confidence, "
        "whatever the votes say."
        if leak > 0
        else "No weight in decisions leaks to those who speak loudest."
    )
    if s["mechanisms.meeting"] == 0:
        said.append("Meeting does not change ties (switched off).")
    return said


def _votes(s: Rules) -> list[str]:
    """Who has the votes, and when they can use them."""
    residents, institutions, _ = s.seats()
    blocs = ("residents", "institutions", "backbone")
    paths = [f"decide.votes.{bloc}" for bloc in blocs]
    late = s.joins("residents")
    if s["decide.votes.counted"] == "one_member_one_vote":
        s.without_effect("each member has one vote", *paths)
        everybody = residents + institutions + 1
        said = (
            f"Each member who comes has one vote, and so has the backbone: with all seats taken residents have "
            f"{percent(residents / everybody)} of the votes."
        )
        if residents and late > s.months:
            return [f"{said} But they never join."]
        if residents and late > 1:
            return [f"{said} But they join in month {late} only."]
        return [said]
    votes = [float(s[path]) for path in paths]
    total = sum(votes)
    if total == 0:
        return ["Nobody holds formal votes, so the backbone decides what voice does not."]
    share = [vote / total for vote in votes]
    held = [percent(part) if part else "none" for part in share]
    said = f"Residents hold {part_of(share[0], 'the votes')}, institutions {held[1]} and the backbone {held[2]}"
    if abs(total - 1) > 1e-9:
        said += f" (shares of {listed([percent(vote) for vote in votes])}, rescaled to 100%)"
    rest = votes[1] * (institutions > 0) + votes[2]
    without = "the backbone then decides alone"
    if rest > 0 and votes[1] and institutions and s.joins("institutions") < late:
        host = f"the backbone {percent(votes[2] / rest)}" if votes[2] else "the backbone none"
        without = f"institutions then have {percent(votes[1] / rest)} and {host}"
    if votes[0] == 0:
        more = ", so they can only speak" if residents else ""
        return [f"{said}: residents have no vote{more}."]
    if not residents:
        return [f"{said}, but no seat is open to residents: {without}."]
    if late > s.months:
        return [f"{said}, but residents never join: {without}."]
    if late > 1:
        return [
            f"{said}, but residents join in month {late}, after the first agenda is set: until then "
            f"{without.replace('then ', '')}."
        ]
    return [f"{said}. Votes count only for blocs of which somebody came."]


def _money(s: Rules) -> list[str]:
    """What the money pays for at the start, and how far that can be changed."""
    grant = s["funder.grant"] if s.look("funder.grant_end") else 0
    shares = {line: float(s[f"decide.budget.{line}"]) for line in BUDGET_LINES[:-1]}
    shares["action"] = s.left_for_action()
    paid = sorted((line for line in shares if shares[line] > 0), key=lambda line: -shares[line])
    told = listed([f"{percent(shares[line])} for {_LINE_NAMES[line]}" for line in paid])
    nothing = [_SHORT[line] for line in shares if not shares[line]]
    whose = f"{counted(grant, 'staff-months')} a month" if grant else "what members give, for there is no grant"
    said = [f"Money at the start ({whose}): {told}."]
    if nothing:
        said.append(f"At the start nothing goes to {listed(nothing, 'or')}.")
    low = {line: float(s[f"decide.budget_min.{line}"]) for line in BUDGET_LINES[:-1]}
    high = {line: float(s[f"decide.budget_max.{line}"]) for line in BUDGET_LINES[:-1]}
    if all(low[line] == high[line] for line in low):
        said.append("These shares are fixed: the coalition cannot decide others.")
        return said
    closed = [_SHORT[line] for line in low if s.never_pays(line)]
    for_now = [_SHORT[line] for line in low if high[line] == 0 and not s.never_pays(line)]
    limits = [
        f"{_SHORT[line]} {'at most' if low[line] == 0 else f'{percent(low[line])} to'} {percent(high[line])}"
        for line in low
        if high[line] > 0
    ]
    if limits:
        said.append(f"The coalition may later decide other shares, within bounds: {', '.join(limits)}.")
    if closed:
        said.append(f"It can never pay for {listed(closed, 'or')}.")
    if for_now:
        said.append(f"Unless the rules change, it cannot pay for {listed(for_now, 'or')}.")
    return said


def _decide(s: Rules) -> list[str]:
    said = _votes(s)
    rule = s["decide.rule"]
    if rule == "weighted_mean":
        said.append("Decisions are compromises, in which everybody's wishes count by their weight.")
    elif rule == "majority":
        said.append(
            "Decisions are won by a majority: the wishes of those who voted for another proposal count nothing."
        )
    if rule == "consensus":
        said.append(
            f"Decisions need consensus: people block what lies further than {percent(s['decide.tolerance'])} from "
            "their own view. Blocks take time and draw decisions towards those who block; if more than a third block, "
            "nothing is decided."
        )
    else:
        s.without_effect("decisions are not made by consensus", "decide.tolerance")
    if rule == "delegated":
        said.append(
            f"Decisions are delegated: the {counted(s['decide.committee'], 'people')} with the most weight at a table "
            f"{'decides' if s['decide.committee'] == 1 else 'decide'} for all."
        )
    else:
        s.without_effect("decisions are not delegated to a committee", "decide.committee")

    hours = s["decide.meeting_hours"]
    asked, kept = s.hours_kept()
    if kept < 1:
        said.append(
            f"Naming, work on conflicts, the charter, plain language and training need {number(asked)} of the "
            f"{number(hours)} meeting hours in a month, more than there are for them: each promise is kept to "
            f"{percent(kept)} only."
        )
    elif asked > 0:
        said.append(
            f"Naming, work on conflicts, the charter, plain language and training take {number(asked)} of the "
            f"{number(hours)} meeting hours in a month; what is left is for deciding."
        )
    else:
        said.append(f"All of the {number(hours)} meeting hours in a month are for deciding.")
    if s["mechanisms.slowness"] == 0:
        said.append("All is decided, however little time there is (switched off), so no backlog arises.")
        s.without_effect("deciding takes no time", "coefficients.hours_per_item")
    else:
        said.append("What does not fit into that time stays undecided and is not done.")

    said += _money(s)
    start, most = s["decide.strategy"], s["decide.strategy_max"]
    if most == 0:
        said.append("All action is programs: nothing may be meant to change policies and systems.")
    else:
        said.append(
            f"{percent(start)} of action is meant to change policies and systems at the start, and never more "
            f"than {percent(most)}; the rest is programs."
        )
    held = s["mechanisms.commitments"] * s["decide.commitment"]
    if held > 0:
        said.append(
            f"{percent(held)} of action money keeps following earlier agendas, for about "
            f"{counted(s['decide.commitment_months'], 'months')}."
        )
    else:
        said.append("No action money is bound by earlier agendas.")
        s.without_effect("no money is committed", "decide.commitment_months", "decide.commitment")
    return said


def _coordinate(s: Rules) -> list[str]:
    least = s["coordinate.backbone_minimum"] * s.tables
    cost = 0.5 * s.money("coordination")
    cost = min(0.4 * s.look("deliberate.facilitation") * s.tables, cost)
    left = round(s.money("coordination") - least - cost, 9)
    said = [
        f"The backbone costs {counted(least, 'staff-months')} a month before it coordinates anything"
        + (
            f"; after that and facilitation {counted(left, 'staff-months')} {'is' if left == 1 else 'are'} left for "
            "coordination at the start."
            if left > 0
            else "; after that and facilitation nothing is left for coordination at the start."
            if left == 0
            else ", and the coordination money of the start does not pay for more."
        )
    ]
    structure, usual = s["coordinate.structure"], float(defaults()["governance.coordinate.structure"])
    if structure != usual:
        said.append(
            f"Committees and structures have to be tended, too: they add {number(0.25 * structure * s.tables)} "
            f"staff-months to what must be coordinated (usually {number(0.25 * usual * s.tables)})."
            if structure
            else "There are no committees or structures that have to be tended."
        )
    growth = s["mechanisms.control"] * s.look("coefficients.control_growth")
    scopes = ("agenda", "budget", "data", "hiring")
    delegated = {scope: float(s[f"coordinate.delegated.{scope}"]) for scope in scopes}
    charter = s["coordinate.charter"]
    if growth == 0:
        said.append("The backbone never takes control of what is left undecided, so what is delegated has no effect.")
        s.without_effect("the backbone never takes control", *(f"coordinate.delegated.{scope}" for scope in scopes))
    elif s.look("mechanisms.slowness") == 0 and s.look("convene.quorum") == 0:
        said.append("Control would pass to the backbone from what is left undecided.")
    if growth > 0:
        agenda, budget = delegated["agenda"], delegated["budget"]
        alone = (
            f"up to {percent(agenda)} of the agenda and of the budget"
            if agenda == budget
            else f"up to {percent(agenda)} of the agenda and {percent(budget)} of the budget"
        )
        said.append(
            f"What the coalition leaves undecided, the backbone comes to control: it alone decides {alone} where it "
            "has taken control."
            if agenda or budget
            else "However much is left undecided, the backbone decides neither agenda nor budget alone."
        )
        said.append(
            f"In control it also settles {part_of(delegated['data'], 'what is measured')} and directs "
            f"{part_of(delegated['hiring'], 'the work of organizers')}."
        )
    if charter:
        said.append(
            f"Members {how(charter, 'hold it| to a written charter')}, and take control back with it as far as they "
            "come and are skilled."
        )
    elif growth > 0:
        said.append("No charter binds it: control that it has taken is never given back.")
    if s["mechanisms.learning_by_doing"] == 0:
        said.append("Nobody learns from doing the coalition's work (switched off).")
    return said


def _serve(s: Rules) -> list[str]:
    target = s["serve.targeting"]
    care, steering = s["mechanisms.inverse_care"], s["mechanisms.steering"]
    to_others = "those who find their way to them" if care else "all alike"
    said = [
        f"Programs give {part_of(target, 'their help')} by need"
        + (f"; the rest reaches {to_others}" if target < 1 else "")
        + (", more often people with few barriers." if care and target < 1 else ".")
    ]
    if steering and target < 1:
        said.append("The more say the most affected have, the more of it goes by need.")
    if not care or not steering:
        off = [
            name for name, gain in (("barriers shut nobody out", care), ("say steers nothing", steering)) if not gain
        ]
        said.append(f"{listed(off).capitalize()} (switched off).")
    recruit = s["serve.recruit"]
    met = s["mechanisms.service_contact"]
    if recruit and met:
        said.append(
            f"Services are {how(recruit, 'used| to meet people and win them over')}, which takes "
            f"{percent(0.3 * recruit)} of program money."
        )
    elif recruit:
        said.append(
            f"Meeting people through services takes {percent(0.3 * recruit)} of program money and changes nobody."
        )
    else:
        said.append("Services are not used to win people over.")
    return said


def _organize(s: Rules) -> list[str]:
    money = min(s.money("organizing"), s.organizers)
    outside = s["organize.outside"]
    talks = 12 * (money + outside * s.residents / 100)
    s.said.add("community.organizers")
    people = counted(s.organizers, "organizers")
    said = []
    if talks > 0:
        whom = ""
        if money == 0:
            whom = ", by allied movements from outside"
        elif outside:
            whom = f", some by allied movements from outside ({number(outside)} staff-months per 100 residents)"
        besides = ", besides those that invite to the table" if s.look("convene.invitation") == "one_to_one" else ""
        said.append(
            f"There {'is' if s.organizers == 1 else 'are'} {people}, and about {number(talks, 2)} one-to-one "
            f"conversations a month at the start{whom}; they build residents' power{besides}."
        )
        focus = s["organize.focus"]
        said.append(
            "Those conversations seek out the most affected before all others."
            if focus == 1
            else f"Those conversations {how(focus, 'seek out the most affected')}."
            if focus
            else "They reach whomever they come across, not the most affected above all."
        )
    else:
        why = "there is nobody to pay" if not s.organizers else "it gets no money"
        never = s.organizers > 0 and s.never_pays("organizing") and s.path("organize.outside") not in s.set_later
        said.append(
            f"No organizing takes place at the start ({why}){', nor can it later' if never else ''}; residents' own "
            "leaders can still emerge, slowly."
        )
        if never or not s.organizers:
            s.without_effect("nobody organizes", "organize.focus")
    autonomy = s["organize.autonomy"]
    hiring = (
        s.look("coordinate.delegated.hiring") and s.look("mechanisms.control") and s.look("coefficients.control_growth")
    )
    whose = (
        "Organizers answer to residents"
        if money
        else "The movement, which nobody in the coalition pays, answers to residents"
        if talks > 0
        else "Whoever organizes answers to residents"
    )
    said.append(
        f"{whose} and not to the coalition"
        if autonomy == 1
        else f"{whose.removesuffix('to residents')}{percent(autonomy)} to residents and {percent(1 - autonomy)} to the "
        "coalition"
        if autonomy
        else f"{whose.removesuffix('residents')}the coalition and not to residents"
    )
    wanted = "what residents want" if autonomy > 0.5 else "the coalition's agenda"
    said[-1] += f", so campaigns{'' if autonomy in (0, 1) else ' mostly'} follow {wanted}." if autonomy != 0.5 else "."
    if autonomy and hiring:
        less = percent(s["coordinate.delegated.hiring"])
        said.append(
            f"Where the backbone has taken control of whom it hires, campaigns follow residents up to {less} less."
        )
    if s["mechanisms.mobilization"] == 0:
        said.append("Nobody takes part in collective action (switched off).")
        s.without_effect(
            "nobody mobilizes",
            "coefficients.lift",
            "coefficients.tiring",
            "mechanisms.fatigue",
            "mechanisms.people_power",
            "mechanisms.popular_pressure",
            "mechanisms.contention",
        )
    return said


def _advocate(s: Rules) -> list[str]:
    said = []
    fear = s["mechanisms.fear"] * s["advocate.fear"]
    most = float(s.look("decide.strategy_max"))
    if most and fear:
        said.append(
            f"Of what is meant for policies, untrained members hold back up to {percent(fear)} for fear of lobbying; "
            + ("training lowers that." if s.look("decide.budget_max.training") else "no training can lower that.")
        )
    elif not most:
        s.without_effect("no action may be meant for policies", "advocate.fear", "advocate.allies")
    allies, rival = s["advocate.allies"], s["advocate.rival"]
    if most and allies:
        said.append(
            "Statewide or national allies campaign with the coalition: where all action is meant for policies, they "
            f"add a pressure of {number(0.05 * allies)} a month for each 100 residents (strength {number(allies)})."
        )
    if rival:
        said.append(f"Institutions run rival campaigns for their own interest (strength {number(rival)}).")
    opposition = s["mechanisms.opposition"] * s["coefficients.opposition"]
    said.append(
        "Those with a stake in things as they are resist"
        + ("" if opposition == 6 else f" (strength {number(opposition)}, usually 6)")
        + "; only pressure beyond that wins policies."
        if opposition
        else "Nobody with a stake in things as they are resists policies."
    )
    targeted = s["advocate.targeted"]
    said.append(
        f"Policies are {how(targeted, 'tailored|')} to those on whom the issue weighs most; once won, they take "
        f"{counted(s['coefficients.policy_lag'], 'months')} on average to work."
    )
    return said


def _contend(s: Rules) -> list[str]:
    addressed = s["contend.conflict_addressed"]
    said = []
    if s["mechanisms.contention"] and s.look("mechanisms.mobilization"):
        said.append(
            "Organized residents challenge institutions"
            + (
                "; organizers who depend on the coalition grow careful after cuts."
                if s["mechanisms.cuts"] and s.look("organize.autonomy") < 1
                else "."
            )
        )
    elif not s.look("mechanisms.contention"):
        said.append("Nobody challenges institutions (switched off).")
        s.without_effect("nobody is challenged", "mechanisms.cuts", "coefficients.challenge")
    if s["mechanisms.grievance"] == 0:
        said.append("Being ignored hurts nobody for long, and nobody walks out over it (switched off).")
        return said
    said.append(
        f"Conflicts are {how(addressed, 'worked through')}"
        + (
            "."
            if addressed == 1
            else "; what is left builds up until people walk out."
            if addressed
            else ": anger of those who are ignored or challenged builds up until they walk out."
        )
    )
    return said


def _evaluate(s: Rules) -> list[str]:
    own, bias = s["evaluate.community_indicators"], s["mechanisms.measurement_bias"] * s["evaluate.official_bias"]
    control = s.look("mechanisms.control") * s.look("coefficients.control_growth")
    data = s.look("coordinate.delegated.data")
    said = []
    if own:
        said.append(
            f"Residents choose and gather {part_of(own, 'what is measured')}"
            + (", until the backbone in control decides that" if control and data == 1 else "")
            + (", less where the backbone has taken control" if control and 0 < data < 1 else "")
            + "; it takes their hours."
        )
    else:
        said.append("Only official indicators are used; residents choose nothing of what is measured.")
    if own < 1 or (control and data):
        said.append(
            f"Official indicators miss {percent(bias)} of the structural causes, so "
            + ("what is learned from them points to services." if bias >= 0.2 else "they mislead little.")
            if bias
            else "Official indicators show the structural causes as they are."
        )
    else:
        s.without_effect("all that is measured is residents' choice", "evaluate.official_bias")
    money = s.money("evaluation")
    if s["mechanisms.evaluation"] == 0:
        said.append("Nobody's beliefs follow what is measured (switched off).")
    elif money == 0:
        later = "later money can change that" if s.look("decide.budget_max.evaluation") else "and never will"
        said.append(f"Evaluation gets no money at the start, so nobody learns from it; {later}.")
    return said


def _fund(s: Rules) -> list[str]:
    grant, end, cycle = s["funder.grant"], int(s["funder.grant_end"]), int(s["funder.cycle"])
    paths = [p.path for p in PARAMETERS.values() if p.path.startswith("funder.")]
    judged = [
        path for path in paths if path.removeprefix("funder.") not in ("grant", "cycle", "grant_end", "contribution")
    ]
    each = f"members give up to {counted(s['funder.contribution'], 'staff-months')} a month each"
    if s.look("funder.contribution") == 0:
        each = "members give no money of their own"
    if grant == 0 or end == 0:
        other = "funder.grant_end" if grant == 0 else "funder.grant"
        s.without_effect("there is no grant", *judged, "funder.cycle", other, "coefficients.bar")
        return [f"There is no grant; {each}."]
    if end == 1:
        s.without_effect("the grant is never up for renewal", *judged, "funder.cycle", "coefficients.bar")
        return [f"A funder gives {counted(grant, 'staff-months')} in the first month only; {each}."]
    last = f"from month {end} on there is none" if end <= s.months else "it does not end within the scenario"
    said = [f"A funder gives {counted(grant, 'staff-months')} a month (1 pays one full-time person); {last}; {each}."]
    renewals = list(range(cycle, min(end - 1, s.months) + 1, cycle))
    if not renewals:
        why = "the grant is never up for renewal"
        s.without_effect(why, *judged, "coefficients.bar")
        said.append(f"With a cycle of {counted(cycle, 'months')}, {why}.")
        return said
    when = (
        listed([str(month) for month in renewals]) if len(renewals) < 6 else f"{renewals[0]}, {renewals[1]} and so on"
    )
    months = "month" if len(renewals) == 1 else "months"
    if s["mechanisms.judgment"] == 0:
        said.append(f"Renewal, in {months} {when}, is certain: the funder does not judge (switched off).")
        s.without_effect("the funder does not judge", *judged, "coefficients.bar", "mechanisms.controversy")
        return said
    equity, horizon = s["funder.equity_priority"], s["funder.horizon"]
    looks = {
        "service numbers": (1 - equity) * (1 - horizon),
        "structural change": (1 - equity) * horizon,
        "relief for the most affected": equity,
    }
    weights = [
        f"{what} ({percent(weight)})" for what, weight in sorted(looks.items(), key=lambda i: -i[1]) if weight > 0
    ]
    said.append(f"It decides on renewal in {months} {when}, and looks at {listed(weights)}.")
    controversy = s["mechanisms.controversy"]
    tolerance, readiness = s["funder.tolerance"], s["funder.readiness"]

    def scares(level: float) -> str:
        return "moves it as much as it can" if level == 0 else how(level, "leaves it unmoved")

    said.append(
        f"Public conflict {scares(tolerance)}, conflict among members {scares(readiness)}."
        if controversy
        else f"Public conflict does not scare it (switched off); conflict among members {scares(readiness)}."
    )
    if not controversy:
        s.without_effect("public conflict scares nobody", "funder.tolerance")
    shift = s["funder.power_shift"]
    said.append(
        f"It {how(shift, 'makes it a condition')} that residents really have half of the say."
        if shift
        else "It does not ask who has the say."
    )
    return said


def barred(event: Event, about: str) -> bool:
    """Whether the rules forbid a motion to come to the vote."""
    votes = any(path.startswith("governance.decide.votes.") for path, _ in event.set)
    return about == "nothing" or (about == "no_votes" and votes)


def _who_reaches(s: Rules, needed: float) -> str:
    """Which bloc's formal votes, where all blocs are there, are enough for a motion."""
    residents, institutions, _ = s.seats()
    shares = {"residents": float(residents), "institutions": float(institutions), "the backbone": 1.0}
    if s.look("decide.votes.counted") == "blocs":
        shares = {who: float(s.look(f"decide.votes.{who.removeprefix('the ')}")) * bool(shares[who]) for who in shares}
    total = sum(shares.values())
    alone = [who for who, share in shares.items() if total and share / total >= needed - 1e-9]
    if not alone:
        return ", which at the start no bloc's votes reach without another's"
    return f", which at the start {listed([f'the votes of {who}' for who in alone], 'or')} reach alone"


def _reform(s: Rules) -> list[str]:
    about = s["reform.motions_about"]
    rules = ("reform.motion_by", "reform.motion_every", "reform.motion_threshold")
    gains = ("mechanisms.power_loss", "mechanisms.popular_pressure")
    motions = [event for event in s.scenario.events if event.by == "motion"]
    if not motions:
        s.without_effect("no motion is made", *rules, *gains, "reform.motions_about")
        if s.scenario.events:
            return ["Nobody moves to change the rules; they change by order only."]
        return ["The rules stay as they are: nobody moves to change them."]
    said = []
    if all(barred(event, about) for event in motions):
        what = "at all" if about == "nothing" else "on the votes"
        said.append(f"No motion {what} may come to a vote, so none that is made can pass while this rule stands.")
    elif about != "anything":
        said.append("Motions may change any rule but the votes.")
    who = "Any member" if s["reform.motion_by"] == "any_member" else "Only residents"
    said.append(
        f"{who} may move to change the rules; there is at most one vote in "
        f"{counted(s['reform.motion_every'], 'months')}."
    )
    needed = s["reform.motion_threshold"]
    said.append(
        f"A motion passes with {percent(needed)} of the weight in decisions{_who_reaches(s, needed)}."
        if needed
        else "Every motion passes."
    )
    if s["mechanisms.power_loss"]:
        said.append("People vote the less for a motion the more weight they would lose by it.")
    if s["mechanisms.popular_pressure"]:
        said.append("Mobilized residents make members vote for change.")
    return said


def _experience(s: Rules) -> list[str]:
    said = []
    claimed = s["experience.claimed_say"]
    if s["mechanisms.rhetoric"] == 0 or s.never("experience.claimed_say"):
        s.without_effect("nothing is claimed that could be seen through", "coefficients.insight")
    if s["mechanisms.rhetoric"] == 0:
        s.without_effect("claims change no trust", "experience.claimed_say")
    elif claimed:
        said.append(
            f"Residents are told that they have {part_of(claimed, 'the say')}; as long as it is less, those who see it "
            "lose trust, and those who do not gain some."
        )
    if s["mechanisms.being_heard"]:
        said.append("Who is heard gains confidence and trust; who is ignored loses them.")
    else:
        said.append("Being heard or ignored changes nobody (switched off).")
    if s["mechanisms.situation"] == 0:
        said.append("What people want does not follow their burdens and missions (switched off).")
    return said


#: Phase -> what tells its rules.
TELL: dict[str, Callable[[Rules], list[str]]] = {
    "convene": _convene,
    "deliberate": _deliberate,
    "decide": _decide,
    "coordinate": _coordinate,
    "serve": _serve,
    "organize": _organize,
    "advocate": _advocate,
    "contend": _contend,
    "evaluate": _evaluate,
    "fund": _fund,
    "reform": _reform,
    "experience": _experience,
}
