/* The timeline: play, pause, step, speed, scrub; events as ticks with words, in a lane for each side. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  // Marks are told apart by their sign and their words, not by color. Those first are named first where room is short.
  const SIGNS = {
    coalition_ended: "\u25a0", grant_ended: "\u25bc", grant_refused: "\u25bd", motion_passed: "\u2714", motion_failed: "\u2716",
    mandate: "\u2261", policy_won: "\u2605", institution_left: "\u21e5", mobilization_peak: "\u25b2", organizing_cut: "\u2702",
    challenge: "!", leaders_emerged: "\u25cf", grant_renewed: "\u21bb", services_grew: "\u271a",
  };
  const RANK = Object.keys(SIGNS);
  CEJ.signs = SIGNS;

  CEJ.timeline = function (player, parent) {
    const { t } = player;
    const icon = (path) => {
      const svg = el("svg:svg", { viewBox: "0 0 24 24", width: "1.35em", height: "1.35em", "aria-hidden": "true" }, el("svg:path", { d: path, fill: "currentColor" }));
      return svg;
    };
    const PLAY = "M7 4.5v15l13-7.5z", PAUSE = "M6 4.5h4.4v15H6zm7.6 0H18v15h-4.4z";
    const BACK = "M18 5v14L8 12zM5 5h2.4v14H5z", ON = "M6 5v14l10-7zM16.6 5H19v14h-2.4z";
    const playPath = icon(PLAY);
    const button = (label, child, run, extra) =>
      el("button", Object.assign({ type: "button", class: "cej-control", "aria-label": label, title: label, onclick: run }, extra), child);
    const play = button(t("player.play"), playPath, () => player.toggle(), { class: "cej-control cej-play" });
    const speed = el("select", { "aria-label": t("player.speed"), title: t("player.speed"), onchange: () => player.setSpeed(speed.value) });
    const readout = el("output", { class: "cej-readout", "aria-live": "off" });
    const range = el("input", {
      type: "range", min: 0, max: 120, step: 1, value: 0, class: "cej-range", "aria-label": t("player.month.label"),
      oninput: () => {
        if (player.playing()) player.pause();
        player.goto(Number(range.value));
      },
    });
    const lanes = el("div", { class: "cej-lanes" });
    const scale = el("div", { class: "cej-scale", "aria-hidden": "true" });
    const cursor = el("div", { class: "cej-cursor", "aria-hidden": "true" });
    const track = el("div", { class: "cej-track" }, lanes, el("div", { class: "cej-rangebox" }, range), scale, cursor);
    parent.append(
      el("div", { class: "cej-controls" }, play,
        button(t("player.help.back"), icon(BACK), () => player.step(-1)),
        button(t("player.help.on"), icon(ON), () => player.step(1)),
        readout, el("label", { class: "cej-speed" }, el("span", null, t("player.speed.short")), speed)),
      track
    );
    let show = null, width = 0, marks = [];

    for (const value of player.speeds) speed.append(el("option", { value }, t("player.speed.value", { speed: value })));

    const timeline = {};
    timeline.data = function (opened) {
      show = opened;
      range.max = show.months;
      marks = show.sides.map((side) => {
        const found = new Map();
        for (const entry of side.log) {
          if (!entry.tick) continue;
          const key = entry.month + entry.event;
          const mark = found.get(key);
          if (mark) mark.entries.push(entry);
          else found.set(key, { month: entry.month, event: entry.event, entries: [entry] });
        }
        return [...found.values()];
      });
      lay();
    };

    /** Signs at their months; where two would touch, the one of less weight gives way into the other's list. */
    function lay() {
      if (!show) return;
      lanes.replaceChildren();
      width = lanes.clientWidth;
      const em = player.em, sign = 1.15 * em;
      show.sides.forEach((side, place) => {
        const lane = el("div", { class: "cej-lane" }, el("span", { class: "cej-lanename", "aria-hidden": "true" }, side.letter));
        const kept = [], taken = [];
        for (const mark of [...marks[place]].sort((a, b) => RANK.indexOf(a.event) - RANK.indexOf(b.event) || a.month - b.month)) {
          const x = at(mark.month);
          const near = kept.find((one) => Math.abs(one.x - x) < sign);
          if (near) near.also.push(mark);
          else kept.push({ x, mark, also: [], from: x - sign / 2 });
        }
        const context = CEJ.offscreen(1, 1, 1).ctx;
        context.font = CEJ.font(0.78 * em, 550);
        for (const one of kept) {
          const entry = one.mark.entries[0];
          const words = short(side, one.mark);
          const from = Math.min(one.from, width - context.measureText(words).width - 0.4 * em), to = from + context.measureText(words).width + 0.7 * em;
          const label = all(side, one);
          lane.append(el("button", {
            type: "button", class: "cej-tick cej-tick-" + one.mark.event, tabindex: -1, title: label, "aria-label": label,
            style: { left: one.from + "px" }, onclick: () => player.event(entry, side),
          }, SIGNS[one.mark.event]));
          if (taken.every(([a, b]) => to <= a || from >= b)) {
            taken.push([from, to]);
            lane.append(el("button", {
              type: "button", class: "cej-tickword", tabindex: -1, title: label, "aria-hidden": "true",
              style: { left: from + "px" }, onclick: () => player.event(entry, side),
            }, words));
          }
        }
        lanes.append(lane);
      });
      scale.replaceChildren();
      const every = [1, 2, 3, 6, 12, 24, 60, 120].find((step) => (show.months / step) * 3.2 * em < width) || 120;
      for (let m = 0; m <= show.months; m += every) scale.append(el("span", { style: { left: at(m) + "px" } }, String(m)));
    }
    const thumb = () => 1.1 * player.em; // as wide as in the style sheet
    const at = (month) => thumb() / 2 + (month / Math.max(1, show.months)) * (width - thumb());
    const short = (side, mark) =>
      t("player.tick." + mark.event, { subject: mark.entries[0].place >= 0 ? player.agentName(side.place, mark.entries[0].place) : mark.entries[0].subject, count: mark.entries.length });
    const all = (side, one) =>
      [one.mark, ...one.also].sort((a, b) => a.month - b.month)
        .flatMap((mark) => mark.entries.map((entry) => t("player.month", { month: entry.month }) + ": " + player.words(side, entry))).join("\n");

    timeline.resize = () => {
      if (show) lay();
    };
    timeline.draw = function (clock, month, turned) {
      cursor.style.transform = "translateX(" + at(clock) + "px)";
      if (turned) {
        range.value = month;
        range.setAttribute("aria-valuetext", t("player.month", { month }));
        readout.textContent = t("player.month.of", { month, months: show.months });
      }
    };
    timeline.playing = function (yes) {
      playPath.firstChild.setAttribute("d", yes ? PAUSE : PLAY);
      play.setAttribute("aria-label", t(yes ? "player.pause" : "player.play"));
      play.title = t(yes ? "player.pause" : "player.play");
    };
    timeline.speed = function (value) {
      if (![...speed.options].some((option) => Number(option.value) === value))
        speed.append(el("option", { value }, t("player.speed.value", { speed: Math.round(value * 10) / 10 })));
      speed.value = String(value);
    };
    return timeline;
  };
})(window.CEJ);
