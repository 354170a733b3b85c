/* The timeline: play, pause, step, speed, scrub; events as ticks with words, in a lane for each side. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  // Marks are told apart by their sign and their words, not by color. Those first are named first where room is short.
  // They are drawn, on a square of 20, and not letters: the fonts of some computers lack such signs.
  const star = Array.from({ length: 10 }, (_, i) => {
    const r = i % 2 ? 3.7 : 9.2, a = (Math.PI * (i / 5 - 0.5));
    return (i ? "L" : "M") + (10 + r * Math.cos(a)).toFixed(1) + " " + (10.6 + r * Math.sin(a)).toFixed(1);
  }).join("") + "z";
  const SIGNS = {
    coalition_ended: "M3 3h14v14H3z", grant_ended: "M2 4h16l-8 14z", grant_refused: "M2 4h16l-8 14zM6 6.2l4 7.2 4-7.2z",
    motion_passed: "M2.4 10.6l2.4-2.3 3.5 3.6 7-8.1 2.5 2.2-9.4 10.7z", motion_failed: "M4.6 2.4L10 7.8l5.4-5.4 2.2 2.2-5.4 5.4 5.4 5.4-2.2 2.2-5.4-5.4-5.4 5.4-2.2-2.2L7.8 10 2.4 4.6z",
    mandate: "M2.5 3.6h15v2.6h-15zm0 5.1h15v2.6h-15zm0 5.1h15v2.6h-15z", policy_won: star,
    institution_left: "M1.5 8.6h8.7V4.4l6 5.6-6 5.6v-4.2H1.5zM16.6 3.5h2v13h-2z", mobilization_peak: "M10 2l8 14H2z",
    organizing_cut: "M10 2a8 8 0 1 1 0 16 8 8 0 0 1 0-16zm0 2.2a5.8 5.8 0 1 0 0 11.6 5.8 5.8 0 0 0 0-11.6zM5.4 8.9h9.2v2.2H5.4z",
    challenge: "M8.3 2h3.4l-.6 10H8.9zM8.2 14.2h3.6v3.6H8.2z", leaders_emerged: "M10 2.6a7.4 7.4 0 1 1 0 14.8 7.4 7.4 0 0 1 0-14.8z",
    grant_renewed: "M10 3a7 7 0 1 0 7 7h-2.4A4.6 4.6 0 1 1 10 5.4V8l5-3.8L10 .4z", services_grew: "M7.4 2.4h5.2v5h5v5.2h-5v5H7.4v-5h-5V7.4h5z",
  };
  const RANK = Object.keys(SIGNS);
  /** The sign of an event; a dot for what has none. */
  CEJ.sign = (event) =>
    el("svg:svg", { class: "cej-sign", viewBox: "0 0 20 20", "aria-hidden": "true" },
      el("svg:path", { d: SIGNS[event] || "M10 8a2 2 0 1 1 0 4 2 2 0 0 1 0-4z", fill: "currentColor", "fill-rule": "evenodd" }));

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
    const perSecond = (value) => t(value === 1 ? "player.speed.one" : "player.speed.value", { speed: value });
    let show = null, width = 0, marks = [];

    for (const value of player.speeds) speed.append(el("option", { value }, perSecond(value)));

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
          }, CEJ.sign(one.mark.event)));
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
        speed.append(el("option", { value }, perSecond(Math.round(value * 10) / 10)));
      speed.value = String(value);
    };
    return timeline;
  };
})(window.CEJ);
