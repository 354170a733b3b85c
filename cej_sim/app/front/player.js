/* The player: one clock, the views on it, the words about it. Everything is drawn from the typed arrays of a payload. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const SPEEDS = [0.5, 1, 2, 4, 8, 16];
  const ORDER = ["tables", "network", "powermap", "curves", "difference", "bands", "log"];
  const FIRST_STRETCH = 12; // months that play by themselves
  const SETTLED = 180; // milliseconds without a change after which a month counts as chosen
  const DEFAULTS = {
    view: "tables", presenter: false, autoplay: true, month: 0, speed: 2, blind: false, charts: "auto",
  };

  /** A payload with its arrays decoded and with what views look up again and again. */
  CEJ.opened = function (payload) {
    const show = CEJ.decodeAll(payload);
    show.place = {};
    show.metrics.forEach((metric, i) => (show.place[metric.name] = i));
    show.width = show.metrics.length;
    /** The number of a metric of a history between months, e.g. at 11.5. */
    show.value = function (side, name, clock) {
      const at = show.place[name], values = show.sides[side].metrics, m = Math.floor(clock);
      const now = values[m * show.width + at];
      if (m >= show.months) return now;
      return now + (clock - m) * (values[(m + 1) * show.width + at] - now);
    };
    show.sides.forEach((side, place) => {
      side.place = place;
      side.count = side.agents.kind.length;
      side.exists = (month) => side.metrics[month * show.width + show.place.alive] > 0;
    });
    return show;
  };

  CEJ.player = function (root, given) {
    const t = CEJ.translator(given.texts);
    const on = given.on || {};
    const options = Object.assign({}, DEFAULTS, given.options || {});
    const player = { root, t, options, order: ORDER, em: 16 };
    let clock = 0, month = -1, playing = false, until = 0, last = 0, frame = 0, settle = 0, dirty = true, stopped = false;
    let painted = 0, spent = 0; // frames drawn so far, and milliseconds that drawing them took
    let reported = null, wanted = CEJ.clamp(options.month, 0, 1e9);
    const views = {}, cleanup = [];

    // The frame of the page

    root.classList.add("cej", "cej-player");
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", t("player.name"));
    root.tabIndex = -1;
    const tabs = el("nav", { class: "cej-tabs", "aria-label": t("player.views") });
    const tools = el("div", { class: "cej-tools" });
    const heads = el("div", { class: "cej-heads" });
    const stage = el("div", { class: "cej-stage" });
    const beside = el("aside", { class: "cej-beside", "aria-label": t("player.beside"), hidden: true });
    const middle = el("div", { class: "cej-middle" }, el("div", { class: "cej-main" }, heads, stage), beside);
    const time = el("div", { class: "cej-time" });
    const note = el("p", { class: "cej-note" });
    root.replaceChildren(el("div", { class: "cej-top" }, CEJ.scrolling(tabs), tools), middle, time, note);
    const announce = CEJ.announcer(root);
    const card = el("div", { class: "cej-card", role: "dialog", "aria-label": t("player.card"), hidden: true });
    root.append(card);

    for (const [at, name] of ORDER.entries()) {
      tabs.append(
        el("button", {
          type: "button", class: "cej-tab", "data-view": name, title: t("player.view." + name + ".hint") + " (" + (at + 1) + ")",
          onclick: () => player.setView(name, true),
        }, t("player.view." + name))
      );
    }
    const chartsButton = el("button", {
      type: "button", class: "cej-tool", title: t("player.beside.hint"), onclick: () => flipCharts(),
    }, t("player.beside"));
    const helpButton = el("button", {
      type: "button", class: "cej-tool cej-round", "aria-label": t("player.help"), title: t("player.help") + " (?)", onclick: () => help(),
    }, "?");
    tools.append(chartsButton, helpButton);

    // What is shown

    player.setPayload = function (payload) {
      const kept = month < 0 ? wanted : clock;
      player.show = CEJ.opened(payload);
      clock = CEJ.clamp(kept, 0, player.show.months);
      until = Math.min(until, player.show.months);
      month = -1;
      player.select(-1, -1);
      renewHeads();
      root.classList.toggle("cej-single", player.show.sides.length === 1);
      renewParts();
      if (!player.show.difference) {
        if (options.view === "difference") player.setView("curves");
      }
      tabs.querySelector('[data-view="difference"]').hidden = !player.show.difference;
      words();
      player.refit();
      return player;
    };

    const sentences = []; // [place, element] of every caption on the page

    /** Badge, title and caption of a side; the caption follows the clock. */
    player.heading = function (place) {
      const sentence = el("p", { class: "cej-caption", title: similarWords() });
      sentences.push([place, sentence]);
      if (month >= 0) sentence.textContent = player.caption(place, month);
      return el("div", { class: "cej-head" }, badge(place),
        el("div", { class: "cej-headtext" }, el("h2", { class: "cej-title" }, player.title(place)), sentence));
    };
    const similarWords = () =>
      t("player.similar", { points: Math.round(100 * player.show.similar), runs: player.show.runs });

    function badge(place) {
      return el("span", { class: "cej-badge cej-side-" + player.letter(place), "aria-hidden": "true" }, player.letter(place));
    }

    player.letter = (place) => player.show.sides[place].letter;
    player.title = (place) =>
      options.blind ? t("player.blind", { letter: player.letter(place) }) : player.show.sides[place].title;

    /** The sentence about a month of a side. */
    player.caption = function (place, m) {
      const { key, params } = player.show.captions[m][place];
      const shown = Object.assign({}, params);
      for (const name of ["seats", "ideas"]) {
        const value = params[name];
        if (value !== undefined) shown[name] = typeof value === "number" ? t("player.tenths." + name, { n: value }) : t("player.tenths." + value);
      }
      if (params.reason) shown.reason = t.has("player.end." + params.reason) ? t("player.end." + params.reason) : params.reason;
      return t(key, shown);
    };

    /** The words for a log entry, translated where there is a text for it. */
    player.words = function (side, entry) {
      const key = "player.event." + entry.event;
      const subject = entry.place >= 0 ? player.agentName(side.place, entry.place)
        : t.has("player.end." + entry.subject) ? t("player.end." + entry.subject) : entry.subject;
      return t.has(key) ? t(key, { subject, count: entry.count }) : entry.text;
    };

    player.agentName = function (place, agent) {
      const agents = player.show.sides[place].agents;
      if (agents.name && agents.name[agent]) return agents.name[agent];
      const kind = CEJ.KINDS[agents.kind[agent]];
      return t("player.agent." + kind, { n: agents.number[agent] });
    };

    function words() {
      const { show } = player;
      const few = show.sides.find((side) => side.all_agents > side.count);
      note.replaceChildren(
        t("player.note", { runs: show.runs, seed: show.seed, run: show.run, version: show.version }) +
          (few ? " " + t("player.note.few", { shown: few.count, all: few.all_agents }) : "")
      );
    }

    function renewHeads() {
      sentences.length = 0;
      heads.replaceChildren(...player.show.sides.map((side) => player.heading(side.place)));
    }
    function renewParts() {
      for (const [name, view] of Object.entries(views)) view.stale = name !== options.view && name !== "beside";
      for (const part of parts()) part.data(player.show);
      player.timeline.data(player.show);
    }
    function renew() {
      renewHeads();
      renewParts();
      words();
    }

    // The clock

    function parts() {
      return [views[options.view], views.beside].filter(Boolean);
    }

    function settleSoon() {
      clearTimeout(settle);
      settle = setTimeout(() => {
        if (playing || stopped) return;
        const m = player.month();
        if (reported === m) return;
        reported = m;
        announce(player.show.sides.map((side) => side.letter + ": " + player.caption(side.place, m)).join(". "));
        if (on.month) on.month(m);
      }, SETTLED);
    }

    function paint(now) {
      frame = 0;
      if (stopped || !player.show) return;
      const begun = performance.now();
      if (playing) {
        clock = Math.min(until, clock + CEJ.clamp((now - last) / 1000, 0, 0.25) * options.speed);
        last = Math.max(last, now);
        if (clock >= until) player.pause();
        dirty = true;
      }
      if (dirty) {
        dirty = false;
        const m = Math.floor(clock + 1e-6);
        const turned = m !== month;
        month = m;
        if (turned) {
          for (const [place, sentence] of sentences) {
            sentence.textContent = player.caption(place, m);
            sentence.classList.toggle("cej-gone", !player.show.sides[place].exists(m));
          }
          if (!card.hidden) fillCard();
        }
        for (const part of parts()) {
          if (turned && part.month) part.month(m, !playing);
          part.draw(clock, m);
        }
        player.timeline.draw(clock, m, turned);
      }
      painted += 1;
      spent += performance.now() - begun;
      if (playing) ask();
    }

    function ask() {
      if (!frame && !stopped) frame = requestAnimationFrame(paint);
    }

    player.redraw = function () {
      dirty = true;
      ask();
    };

    player.goto = function (m) {
      clock = CEJ.clamp(Math.round(m), 0, player.show.months);
      if (playing && clock >= until) until = player.show.months;
      settleSoon();
      player.redraw();
      return player;
    };
    player.month = () => CEJ.clamp(Math.floor(clock + 1e-6), 0, player.show.months);
    player.playing = () => playing;

    player.play = function (to) {
      if (clock >= player.show.months) clock = 0;
      until = Math.min(player.show.months, to === undefined ? player.show.months : to);
      if (clock >= until) return player;
      playing = true;
      last = performance.now();
      player.timeline.playing(true);
      player.redraw();
      return player;
    };
    player.pause = function () {
      if (playing) {
        playing = false;
        clock = Math.round(clock);
        month = -1;
        player.redraw();
      }
      player.timeline.playing(false);
      settleSoon();
      return player;
    };
    player.toggle = () => (playing ? player.pause() : player.play());
    player.step = function (by) {
      if (playing) player.pause();
      return player.goto(player.month() + by);
    };
    player.setSpeed = function (speed) {
      options.speed = CEJ.clamp(Number(speed) || 1, 0.1, 60);
      player.timeline.speed(options.speed);
      return player;
    };
    function faster(by) {
      const at = SPEEDS.findIndex((speed) => speed >= options.speed);
      player.setSpeed(SPEEDS[CEJ.clamp((at < 0 ? SPEEDS.length - 1 : at) + by, 0, SPEEDS.length - 1)]);
      announce(t("player.speed.said", { speed: options.speed }));
    }
    player.speeds = SPEEDS;

    /** To the next event with a tick (by 1), or the one before (by -1). */
    player.toEvent = function (by) {
      const months = new Set();
      for (const side of player.show.sides) for (const entry of side.log) if (entry.tick) months.add(entry.month);
      const sorted = [...months].sort((a, b) => by * (a - b));
      const found = sorted.find((m) => by * (m - player.month()) > 0);
      if (found !== undefined) {
        if (playing) player.pause();
        player.goto(found);
      }
    };

    // Views

    player.setView = function (name, byHand) {
      if (!CEJ.views[name]) return player;
      if (name === "difference" && player.show && !player.show.difference) name = "curves";
      const before = views[options.view];
      if (before && options.view !== name) before.el.hidden = true;
      options.view = name;
      if (!views[name]) {
        views[name] = CEJ.views[name](player);
        views[name].el.classList.add("cej-view", "cej-view-" + name);
        views[name].el.setAttribute("role", "group");
        views[name].el.setAttribute("aria-label", t("player.view." + name));
        stage.append(views[name].el);
        if (player.show) views[name].data(player.show);
      } else if (before !== views[name] && views[name].stale && player.show) {
        views[name].data(player.show);
      }
      views[name].el.hidden = false;
      views[name].stale = false;
      for (const tab of tabs.children) {
        const chosen = tab.dataset.view === name;
        tab.classList.toggle("cej-chosen", chosen);
        if (chosen) {
          tab.setAttribute("aria-current", "page");
          tabs.scrollLeft = Math.max(0, tab.offsetLeft - tabs.offsetLeft - tabs.clientWidth / 3);
        }
        else tab.removeAttribute("aria-current");
      }
      month = -1;
      hideCard();
      if (player.show) player.refit();
      if (byHand) {
        announce(t("player.view." + name) + ". " + t("player.view." + name + ".hint"));
        if (on.view) on.view(name);
      }
      return player;
    };
    player.view = () => options.view;

    function flipCharts() {
      options.charts = beside.hidden;
      player.refit();
      announce(t(beside.hidden ? "player.beside.off" : "player.beside.on"));
    }

    /** Fit everything to the room that there is. */
    player.refit = function () {
      if (!root.clientWidth || !root.clientHeight) return; // hidden: fitted when it is shown again
      root.classList.toggle("cej-presenter", Boolean(options.presenter));
      const width = root.clientWidth;
      root.classList.toggle("cej-narrow", width < 720);
      root.classList.toggle("cej-paired", options.view === "tables" || options.view === "network" || options.view === "powermap");
      player.em = parseFloat(getComputedStyle(root).fontSize) || 16;
      const drawn = options.view === "tables" || options.view === "network" || options.view === "powermap" || options.view === "log";
      const room = width >= 62 * player.em;
      const shown = drawn && room && (options.charts === true || (options.charts === "auto" && width >= 96 * player.em));
      chartsButton.hidden = !drawn || !room;
      chartsButton.setAttribute("aria-pressed", String(shown));
      beside.hidden = !shown;
      if (shown && !views.beside) {
        views.beside = CEJ.charts(player, { columns: 1 });
        beside.append(views.beside.el);
        views.beside.data(player.show);
      }
      if (!shown && views.beside) {
        views.beside.el.remove();
        delete views.beside;
      }
      for (const part of parts()) part.resize();
      player.timeline.resize();
      month = -1;
      player.redraw();
    };

    player.setOptions = function (changed) {
      const blind = options.blind;
      if (changed.view && changed.view !== options.view) player.setView(changed.view);
      if (changed.speed) player.setSpeed(changed.speed);
      Object.assign(options, changed);
      if (changed.blind !== undefined && changed.blind !== blind && player.show) {
        renew();
      }
      if (changed.month !== undefined) player.goto(changed.month);
      player.refit();
      return player;
    };

    /** Show some metrics in the charts, in their order; without names, the usual ones. */
    player.setCharts = function (names) {
      CEJ.pickCharts(names);
      if (player.show) {
        renewParts();
        player.refit();
      }
      return player;
    };

    // An agent's card

    const chosen = { side: -1, place: -1 };
    player.chosen = chosen;
    player.select = function (side, place, x, y) {
      chosen.side = side;
      chosen.place = place;
      if (place < 0) hideCard();
      else {
        fillCard();
        card.hidden = false;
        placeCard(x, y);
        if (on.agent) on.agent(player.show.sides[side].agents.row[place], player.letter(side));
      }
      if (player.timeline) player.redraw();
    };
    function hideCard() {
      card.hidden = true;
      chosen.side = chosen.place = -1;
    }
    function placeCard(x, y) {
      const box = root.getBoundingClientRect();
      const at = x === undefined ? stage.getBoundingClientRect() : null;
      const left = at ? at.right - box.left - card.offsetWidth - 12 : x - box.left + 16;
      const top = at ? at.top - box.top + 12 : y - box.top + 16;
      card.style.left = CEJ.clamp(at || left + card.offsetWidth < box.width ? left : left - card.offsetWidth - 32, 4, Math.max(4, box.width - card.offsetWidth - 4)) + "px";
      card.style.top = CEJ.clamp(top, 4, Math.max(4, box.height - card.offsetHeight - 4)) + "px";
    }
    function meter(label, share) {
      return [
        el("dt", null, label),
        el("dd", null, el("span", { class: "cej-meter" }, el("span", { style: { width: 100 * share + "%" } })), el("b", null, CEJ.percent(share))),
      ];
    }
    /** What a card says of an agent in a month, in words. */
    player.facts = function (place, agent, m) {
      const side = player.show.sides[place], at = m * side.count + agent, flags = side.month.flags[at];
      const facts = [];
      const kind = side.agents.kind[agent];
      if (side.agents.name && side.agents.name[agent]) facts.push(t("player.kind." + CEJ.KINDS[kind]));
      if (side.agents.neighborhood[agent] >= 0) facts.push(t("player.neighborhood", { n: side.agents.neighborhood[agent] + 1 }));
      if (side.agents.group[agent] >= 0) facts.push(t("player.group", { name: side.groups[side.agents.group[agent]] }));
      if (kind === 1) facts.push(t("player.mission", { name: side.issues[side.agents.home[agent]] }));
      const seat = flags & CEJ.MEMBER ? (flags & CEJ.PRESENT ? "came" : "absent") : flags & CEJ.PRESENT ? "guest" : "none";
      facts.push(t("player.seat." + seat));
      if (flags & CEJ.LEADER) facts.push(t("player.leads"));
      if (flags & CEJ.MOBILIZED) facts.push(t("player.acts"));
      return facts;
    };
    function fillCard() {
      const { side, place } = chosen;
      if (place < 0) return;
      const data = player.show.sides[side], m = player.month(), at = m * data.count + place;
      const kind = data.agents.kind[place];
      const rows = [
        el("dt", null, t("player.say")),
        el("dd", null, el("b", { class: "cej-say" }, sayText(data.month.say[at] / 65535))),
        ...["agency", "trust", "openness", ...(kind === 1 ? ["engagement"] : []), "grievance"]
          .flatMap((name) => meter(t("player." + name), player.attitude(side, name, place, m))),
      ];
      card.replaceChildren(
        el("div", { class: "cej-cardhead" }, badge(side), el("strong", null, player.agentName(side, place)), el("span", { class: "cej-soft" }, t("player.month", { month: m }))),
        el("p", null, player.facts(side, place, m).join(" \u00b7 ")),
        el("dl", null, rows)
      );
    }
    /** An attitude in a month, between the months that were sent. */
    player.attitude = function (side, name, agent, m) {
      const { count, attitudes } = player.show.sides[side], { months } = attitudes, values = attitudes[name];
      let at = 0;
      while (at + 1 < months.length && months[at + 1] <= m) at += 1;
      const next = Math.min(at + 1, months.length - 1);
      const part = next > at ? (m - months[at]) / (months[next] - months[at]) : 0;
      return (values[at * count + agent] + part * (values[next * count + agent] - values[at * count + agent])) / 255;
    };
    const sayText = (share) => (share > 0 && share < 0.005 ? t("player.hardly") : CEJ.percent(share));

    /** Let agents on a canvas be looked at: `hit(x, y)` gives the place of an agent or -1. */
    player.hoverable = function (surface, side, hit) {
      const find = (event) => {
        const box = surface.canvas.getBoundingClientRect();
        return hit(event.clientX - box.left, event.clientY - box.top);
      };
      surface.canvas.addEventListener("pointermove", (event) => {
        const place = find(event);
        surface.canvas.style.cursor = place >= 0 ? "pointer" : "";
        if (place >= 0) player.select(side, place, event.clientX, event.clientY);
        else if (chosen.place >= 0 && event.pointerType === "mouse") player.select(-1, -1);
      });
      surface.canvas.addEventListener("pointerdown", (event) => {
        const place = find(event);
        player.select(place >= 0 ? side : -1, place, event.clientX, event.clientY);
      });
      surface.canvas.addEventListener("pointerleave", () => chosen.place >= 0 && player.select(-1, -1));
    };

    /** By keyboard: from agent to agent, those with most say first, one side after the other. */
    function walk(by) {
      const { show } = player, m = player.month(), all = [];
      for (const side of show.sides) {
        const order = Array.from({ length: side.count }, (_, i) => i);
        const say = side.month.say, base = m * side.count;
        order.sort((a, b) => say[base + b] - say[base + a] || side.agents.kind[b] - side.agents.kind[a] || a - b);
        for (const place of order) all.push([side.place, place]);
      }
      const at = all.findIndex(([side, place]) => side === chosen.side && place === chosen.place);
      const [side, place] = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length];
      player.select(side, place);
      const share = show.sides[side].month.say[m * show.sides[side].count + place] / 65535;
      announce(player.letter(side) + ", " + player.agentName(side, place) + ". " + t("player.say") + " " + sayText(share) + ". " + player.facts(side, place, m).join(". "));
    }

    // Help

    const bindings = [
      { keys: [" ", "k"], shown: t("player.key.space"), label: t("player.help.play"), run: () => player.toggle() },
      { keys: ["ArrowLeft"], shown: "\u2190", label: t("player.help.back"), run: (e) => player.step(e.shiftKey ? -12 : -1) },
      { keys: ["ArrowRight"], shown: "\u2192", label: t("player.help.on"), run: (e) => player.step(e.shiftKey ? 12 : 1) },
      { keys: ["Home"], shown: "Home", label: t("player.help.home"), run: () => player.step(-1e6) },
      { keys: ["End"], shown: "End", label: t("player.help.end"), run: () => player.step(1e6) },
      { keys: [","], shown: ",", label: t("player.help.before"), run: () => player.toEvent(-1) },
      { keys: ["."], shown: ".", label: t("player.help.next"), run: () => player.toEvent(1) },
      { keys: ["-"], shown: "-", label: t("player.help.slower"), run: () => faster(-1) },
      { keys: ["+", "="], shown: "+", label: t("player.help.faster"), run: () => faster(1) },
      { keys: ["1", "2", "3", "4", "5", "6", "7"], shown: "1\u20137", label: t("player.help.views"), run: (e) => player.setView(ORDER[Number(e.key) - 1], true) },
      { keys: ["n"], shown: "n", label: t("player.help.agent"), run: () => walk(1) },
      { keys: ["N"], shown: "Shift+n", label: t("player.help.agentback"), run: () => walk(-1) },
      { keys: ["c"], shown: "c", label: t("player.help.charts"), run: () => !chartsButton.hidden && flipCharts() },
      { keys: ["Escape"], shown: "Esc", label: t("player.help.close"), run: () => player.select(-1, -1) },
      { keys: ["?"], shown: "?", label: t("player.help"), run: () => help() },
    ];
    cleanup.push(CEJ.keys(given.around || root, bindings));
    const dialog = el("dialog", { class: "cej-help", "aria-label": t("player.help") });
    root.append(dialog);
    function help() {
      const legend = el("ul", { class: "cej-legend" }, CEJ.KINDS.map((kind, k) => el("li", null, swatch(k), t("player.kinds." + kind))));
      dialog.replaceChildren(
        el("form", { method: "dialog" }, el("button", { class: "cej-tool cej-round", "aria-label": t("player.close") }, "\u00d7")),
        el("h2", null, t("player.help")),
        el("div", { class: "cej-helpgrid" },
          el("table", null, el("tbody", null, [...bindings.map((one) => [one.shown, one.label]), ...(given.keys || [])].map(([shown, label]) => el("tr", null, el("th", { scope: "row" }, el("kbd", null, shown)), el("td", null, label))))),
          el("div", null, legend, el("p", null, t("player.help.seats")), el("p", null, t("player.help.ideas")),
            el("p", null, similarWords()),
            el("p", null, t("player.help.honest"))))
      );
      if (dialog.open) dialog.close();
      else if (dialog.showModal) dialog.showModal();
    }
    function swatch(kind) {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 40;
      canvas.className = "cej-swatch";
      const ctx = canvas.getContext("2d");
      ctx.fillStyle = CEJ.colors.kinds[kind];
      ctx.beginPath();
      CEJ.outline(ctx, kind, 20, kind === 3 ? 23 : 20, 13);
      ctx.fill();
      return canvas;
    }
    player.swatch = swatch;

    // Pictures and numbers of the player itself

    /** Draw the words inside an element where they stand on the page, moved by dx and dy. */
    function printed(ctx, node, dx, dy) {
      if (!node.getClientRects().length) return;
      const style = (of) => {
        const { fontWeight, fontSize, fontFamily, color } = getComputedStyle(of);
        ctx.font = fontWeight + " " + fontSize + " " + fontFamily;
        ctx.fillStyle = color;
        return parseFloat(fontSize);
      };
      if (node.tagName === "SELECT") {
        style(node);
        const at = node.getBoundingClientRect();
        return ctx.fillText(CEJ.shortened(ctx, node.selectedOptions[0].textContent, at.width), at.left + dx + 3, at.top + dy + 3);
      }
      const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT), range = document.createRange();
      while (walker.nextNode()) {
        const text = walker.currentNode, size = style(text.parentNode);
        range.selectNodeContents(text);
        const at = range.getBoundingClientRect();
        if (!at.width) continue;
        const lines = at.height > 1.9 * size ? CEJ.wrapped(ctx, text.textContent, at.width + 2) : [text.textContent];
        lines.forEach((line, n) => ctx.fillText(line, at.left + dx, at.top + dy + 0.1 * size + (n * at.height) / lines.length));
      }
    }

    /** A PNG of what is seen: titles, captions, every canvas of the view, and what to know about it. */
    player.png = function () {
      const ratio = Math.max(2, window.devicePixelRatio || 1), pad = 20, em = player.em;
      const box = stage.getBoundingClientRect(), right = beside.hidden ? box.right : beside.getBoundingClientRect().right;
      const headHeight = 4.6 * em, footHeight = 2.4 * em;
      const out = CEJ.offscreen(right - box.left + 2 * pad, headHeight + box.height + footHeight + 2 * pad, ratio);
      const ctx = out.ctx, { show } = player;
      ctx.fillStyle = CEJ.colors.paper;
      ctx.fillRect(0, 0, out.w, out.h);
      ctx.textBaseline = "top";
      const column = box.width / show.sides.length;
      show.sides.forEach((side, i) => {
        ctx.fillStyle = CEJ.colors.ink;
        ctx.font = CEJ.font(1.3 * em, 700);
        ctx.fillText(CEJ.shortened(ctx, player.letter(i) + "  " + player.title(i), column - pad), pad + i * column, pad);
        ctx.font = CEJ.font(em);
        CEJ.wrapped(ctx, player.caption(i, player.month()), column - pad).slice(0, 2).forEach((line, n) => ctx.fillText(line, pad + i * column, pad + 1.7 * em + 1.25 * em * n));
      });
      const put = (canvas) => {
        const at = canvas.getBoundingClientRect();
        if (at.width && at.height) ctx.drawImage(canvas, pad + at.left - box.left, pad + headHeight + at.top - box.top, at.width, at.height);
      };
      for (const node of middle.querySelectorAll("[data-print]")) printed(ctx, node, pad - box.left, pad + headHeight - box.top);
      middle.querySelectorAll("canvas").forEach(put);
      ctx.font = CEJ.font(0.8 * em);
      ctx.fillStyle = CEJ.colors.soft;
      ctx.fillText(CEJ.shortened(ctx, note.textContent, out.w - 2 * pad), pad, out.h - pad - em);
      return new Promise((done, fail) => out.canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no picture"))), "image/png"));
    };

    /** Play for some seconds: how many frames were painted, the 95th percentile and the longest of the gaps between them,
        and the mean time that our own code took for one (milliseconds). */
    player.measurePlayback = (seconds, speed = 4) =>
      new Promise((done) => {
        const gaps = [];
        let before = 0, begin = 0;
        painted = spent = 0;
        player.goto(0).setSpeed(speed).play();
        const count = (now) => {
          if (before) gaps.push(now - before);
          else begin = now;
          before = now;
          if (now - begin < 1000 * seconds) return requestAnimationFrame(count);
          player.pause();
          gaps.sort((a, b) => a - b);
          done({ frames: gaps.length, seconds: (before - begin) / 1000, p95: gaps[Math.floor(0.95 * gaps.length)], longest: gaps[gaps.length - 1], script: spent / Math.max(1, painted) });
        };
        requestAnimationFrame(count);
      });

    /** Milliseconds from asking for a month until the frame that shows it was handed over to be painted. */
    player.measureScrub = (m) =>
      new Promise((done) => {
        const begin = performance.now();
        player.goto(m);
        requestAnimationFrame(() => {
          const channel = new MessageChannel();
          channel.port1.onmessage = () => done(performance.now() - begin);
          channel.port2.postMessage(0);
        });
      });

    player.destroy = function () {
      stopped = true;
      if (frame) cancelAnimationFrame(frame);
      clearTimeout(settle);
      for (const end of cleanup) end();
      root.replaceChildren();
      root.classList.remove("cej", "cej-player", "cej-presenter", "cej-narrow", "cej-paired", "cej-single");
    };

    // Start

    player.announce = announce;
    player.event = (entry, side) => {
      if (playing) player.pause();
      player.goto(entry.month);
      announce(t("player.month", { month: entry.month }) + ": " + player.words(side, entry));
      if (on.event) on.event(entry, side.letter);
    };
    player.timeline = CEJ.timeline(player, time);
    let fitting = 0;
    const watch = new ResizeObserver(() => {
      if (!fitting && !stopped)
        fitting = requestAnimationFrame(() => {
          fitting = 0;
          if (player.show && !stopped) player.refit();
        });
    });
    watch.observe(root);
    watch.observe(stage);
    cleanup.push(() => watch.disconnect());
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    root.classList.toggle("cej-calm", still.matches);
    player.setView(options.view);
    player.setSpeed(options.speed);
    player.setPayload(given.payload);
    if (options.autoplay && wanted === 0) {
      if (still.matches) player.goto(FIRST_STRETCH);
      else player.play(FIRST_STRETCH);
    } else settleSoon();
    return player;
  };
})(window.CEJ);
