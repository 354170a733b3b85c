/* Levers: every rule as a native control, drawn from one list; budget lines that add to the whole; principles as switches. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const LETTERS = ["A", "B"];

  /** A value for people. */
  CEJ.leverText = function (t, lever, value) {
    if (value === undefined || value === null) return "";
    if (lever.kind === "switch") return t(value ? "levers.yes" : "levers.no");
    if (lever.kind === "choice") return word(t, lever, value);
    if (lever.unit === "share") return CEJ.percent(value);
    const digits = lever.kind === "count" ? 0 : Math.max(0, -Math.floor(Math.log10(lever.step) + 1e-9));
    const number = Number(value).toLocaleString(t("levers.locale"), { maximumFractionDigits: digits });
    return lever.unit === "gain" || lever.unit === "ratio" ? "\u00d7\u202f" + number : number + "\u202f" + t.or("levers.unit." + lever.unit, lever.unit);
  };

  const word = (t, lever, value) => t.or(`levers.choice.${lever.path}.${value}`, String(value).replace(/_/g, " "));
  const label = (t, lever) => t.or("levers.label." + lever.path, lever.label);
  const meaning = (t, lever) => t.or("levers.meaning." + lever.path, lever.meaning);

  /** One control. `change(value, settled)` is called while it moves and when it has come to rest.
      Gives back {node, set(value, base)}. */
  CEJ.leverControl = function (t, lever, change, options) {
    const id = "lever-" + CEJ.leverControl.count++;
    const shown = el("output", { class: "cej-lever-value", for: id });
    let input, write, moving = false;
    // What was set here last, until it is answered (or four seconds have passed): the answer to an earlier key or move
    // must not undo what was set meanwhile.
    let mine = null, waiting = 0, latest = null;
    function hold(value) {
      mine = value;
      clearTimeout(waiting);
      waiting = setTimeout(() => { release(); if (latest) set(...latest); }, 4000);
    }
    function release() {
      mine = null;
      clearTimeout(waiting);
    }
    if (lever.kind === "switch") {
      input = el("input", { id, type: "checkbox", role: "switch", onchange: () => change(input.checked, true) });
      write = (value) => (input.checked = Boolean(value));
    } else if (lever.kind === "choice" && lever.choices.length <= 3) {
      const radios = lever.choices.map((choice) =>
        el("input", { type: "radio", name: id, value: choice, onchange: () => change(choice, true) })
      );
      input = el("div", { class: "cej-lever-radios", role: "radiogroup", "aria-labelledby": id + "-label", id },
        radios.map((radio, i) => el("label", {}, radio, el("span", {}, word(t, lever, lever.choices[i])))));
      write = (value) => radios.forEach((radio) => (radio.checked = radio.value === value));
    } else if (lever.kind === "choice") {
      input = el("select", { id, onchange: () => change(input.value, true) },
        lever.choices.map((choice) => el("option", { value: choice }, word(t, lever, choice))));
      write = (value) => (input.value = value);
    } else if (lever.kind === "count" && lever.high > 2000) {
      input = el("input", { id, type: "number", min: lever.low, max: lever.high, step: 1, inputmode: "numeric",
        onchange: () => {
          if (!input.checkValidity() || input.value === "") return input.reportValidity();
          change(Number(input.value), true);
        } });
      write = (value) => { if (document.activeElement !== input) input.value = value; };
    } else {
      const read = () => (lever.kind === "count" ? Math.round(Number(input.value)) : Number(Number(input.value).toPrecision(10)));
      input = el("input", { id, type: "range", min: lever.low, max: lever.high, step: lever.step,
        "aria-describedby": id + "-meaning",
        oninput: () => { moving = true; tell(read()); hold(read()); change(read(), false); },
        onchange: () => { moving = false; hold(read()); change(read(), true); } });
      write = (value) => { if (!moving) input.value = value; };
    }
    function tell(value) {
      shown.textContent = lever.kind === "switch" || lever.kind === "choice" ? "" : CEJ.leverText(t, lever, value);
      if (input.type === "range") input.setAttribute("aria-valuetext", shown.textContent);
    }
    const back = el("button", { type: "button", class: "cej-lever-back", hidden: true, title: t("levers.back"),
      "aria-label": t("levers.back_of", { label: label(t, lever) }), onclick: () => { release(); change(back.value_, true); } }, "\u21ba");
    const facts = el("dl", { class: "cej-lever-facts" },
      el("dt", {}, t("levers.default")), el("dd", {}, CEJ.leverText(t, lever, lever.default)),
      lever.kind === "number" || lever.kind === "count"
        ? [el("dt", {}, t("levers.bounds")), el("dd", {}, CEJ.leverText(t, lever, lever.low) + " \u2013 " + CEJ.leverText(t, lever, lever.high))]
        : [],
      el("dt", {}, t("levers.unit")), el("dd", {}, t.or("levers.unit." + lever.unit, lever.unit)),
      el("dt", {}, t("levers.source")), el("dd", {}, lever.source),
      el("dt", {}, t("levers.in_file")), el("dd", {}, el("code", {}, lever.path)));
    const more = el("details", { class: "cej-lever-more" }, el("summary", { "aria-label": t("levers.about", { label: label(t, lever) }) }, "i"), facts);
    const title = lever.kind === "choice" && lever.choices.length <= 3
      ? el("span", { class: "cej-lever-label", id: id + "-label" }, label(t, lever))
      : el("label", { class: "cej-lever-label", for: id }, label(t, lever));
    const field = el("div", { class: "cej-lever-field" }, input);
    if (input.type === "range") {
      const at = (100 * (lever.default - lever.low)) / (lever.high - lever.low);
      field.append(el("span", { class: "cej-lever-mark", style: { left: `calc(8px + (100% - 16px) * ${at / 100})` },
        title: t("levers.default_is", { value: CEJ.leverText(t, lever, lever.default) }) }));
    }
    const node = el("div", { class: "cej-lever cej-lever-" + lever.kind, "data-path": lever.path },
      el("div", { class: "cej-lever-head" }, title, shown, back),
      lever.kind === "switch" ? null : field,
      el("p", { class: "cej-lever-meaning", id: id + "-meaning" }, meaning(t, lever)), options && options.bare ? null : more);
    if (lever.kind === "switch") node.querySelector(".cej-lever-head").prepend(field);
    function set(value, base, note) {
      latest = [value, base, note];
      if (value === mine) release();
      if (mine !== null) return;
      write(value);
      if (!moving) tell(value);
      const changed = base !== undefined && base !== value;
      node.classList.toggle("is-changed", changed);
      back.hidden = !changed;
      back.value_ = base;
      node.dataset.note = note || "";
    }
    return { node, lever, set, release };
  };
  CEJ.leverControl.count = 0;

  /** The panel. `on`: {set(values, side, settled), principle(number, on, side), reset(side)}.
      Gives back {update(state), options({only})}. */
  CEJ.levers = function (root, { catalogue, t, on }) {
    t.or = t.or || ((key, other) => (t.has(key) ? t(key) : other));
    const byPath = new Map(catalogue.levers.map((lever) => [lever.path, lever]));
    const inBudget = new Set(catalogue.budget.lines.flatMap((line) => [line.start, line.least, line.most]));
    let side = 1, by = "phase", only = null, state = null, query = "";
    const controls = new Map(); // path -> controls, a lever may stand in two places
    const name = "levers-" + CEJ.leverControl.count++;

    const sides = el("fieldset", { class: "cej-choice" }, el("legend", {}, t("levers.side")));
    const sideInputs = [0, 1, "both"].map((value) => {
      const input = el("input", { type: "radio", name: name + "-side", value: String(value), onchange: () => { side = value; release(); fill(); } });
      sides.append(el("label", {}, input, el("span", {}, value === "both" ? t("levers.both") : LETTERS[value])));
      return input;
    });
    const grouping = el("fieldset", { class: "cej-choice" }, el("legend", {}, t("levers.by")));
    for (const value of ["phase", "principle"])
      grouping.append(el("label", {}, el("input", { type: "radio", name: name + "-by", checked: value === by,
        onchange: () => { by = value; build(); } }), el("span", {}, t("levers.by_" + value))));
    const find = el("input", { type: "search", class: "cej-find", placeholder: t("levers.find"), "aria-label": t("levers.find"),
      oninput: () => { query = find.value.trim().toLowerCase(); build(); } });
    const reset = el("button", { type: "button", class: "cej-button", onclick: () => { release(); on.reset(side); } }, t("levers.reset"));
    const tools = el("div", { class: "cej-levers-tools" }, sides, grouping, find);
    const body = el("div", { class: "cej-levers-body" });
    root.append(tools, body, el("div", { class: "cej-levers-foot" }, reset));

    const release = () => controls.forEach((some) => some.forEach((one) => one.release()));
    const shownSide = () => (side === "both" ? 0 : Math.min(side, state.sides.length - 1));
    const valueOf = (path, place) => state.sides[place].values[path];
    const baseOf = (path, place) => (path in state.sides[place].base ? state.sides[place].base[path] : valueOf(path, place));

    // While a lever moves, at most one request is on its way in so many milliseconds; the last one always goes out.
    let pending = null, timer = 0, last = 0;
    function send(values, where, settled) {
      pending = { values: { ...(pending && pending.where === where ? pending.values : {}), ...values }, where };
      const go = () => {
        timer = 0;
        last = performance.now();
        const { values, where } = pending;
        pending = null;
        on.set(values, where);
      };
      clearTimeout(timer);
      const wait = settled ? 0 : Math.max(0, 150 - (performance.now() - last));
      if (wait === 0) go();
      else timer = setTimeout(go, wait);
    }

    function control(path) {
      const lever = byPath.get(path);
      const whole = lever.phase === "community" || lever.phase === "network";
      const one = CEJ.leverControl(t, lever, (value, settled) => {
        if (settled && value === undefined) return;
        send({ [path]: value }, whole ? "both" : side, settled);
      });
      if (!controls.has(path)) controls.set(path, []);
      controls.get(path).push(one);
      return one.node;
    }

    function budget() {
      const bar = el("div", { class: "cej-budget-bar", role: "img" });
      const list = catalogue.budget.lines.map((line) => control(line.start));
      const rest = el("div", { class: "cej-budget-rest" });
      const bounds = el("details", { class: "cej-fold" }, el("summary", {}, t("levers.budget_bounds")));
      later(bounds, () => catalogue.budget.lines.flatMap((line) => [control(line.least), control(line.most)]));
      const node = el("section", { class: "cej-budget", "aria-label": t("levers.budget") }, el("h4", {}, t("levers.budget")),
        bar, list, rest, el("p", { class: "cej-quiet" }, t("levers.budget_note")), bounds);
      node.fill = () => {
        const lines = state.sides[shownSide()].budget;
        bar.replaceChildren(...lines.map((line, i) =>
          el("span", { class: "cej-budget-part cej-budget-" + i, style: { flexGrow: String(Math.max(line.share, 0)) }, title: `${t("levers.line." + line.line)} ${CEJ.percent(line.share)}` })));
        const words = lines.map((line) => `${t("levers.line." + line.line)} ${CEJ.percent(line.share)}`);
        bar.setAttribute("aria-label", words.join(", "));
        const total = lines.reduce((sum, line) => sum + line.share, 0);
        rest.replaceChildren(
          el("span", {}, el("i", { class: "cej-budget-swatch cej-budget-" + (lines.length - 1) }), t("levers.line." + catalogue.budget.rest)),
          el("strong", {}, CEJ.percent(lines[lines.length - 1].share)),
          el("span", { class: "cej-budget-sum" }, t("levers.sum", { percent: CEJ.percent(total) })));
      };
      budgets.push(node);
      return node;
    }
    let budgets = [];

    /** Draw what stands in a fold when it is first opened. */
    function later(fold, make) {
      fold.addEventListener("toggle", () => {
        if (!fold.open || fold.made) return;
        fold.made = true;
        fold.append(...make().flat());
        fill();
      });
    }

    function principles() {
      const node = el("section", { class: "cej-principles", "aria-label": t("levers.principles") }, el("h4", {}, t("levers.principles")),
        el("p", { class: "cej-quiet" }, t("levers.principles_note")));
      switches = catalogue.principles.map((one) => {
        const input = el("input", { type: "checkbox", role: "switch", onchange: () => { release(); on.principle(one.number, input.checked, side); } });
        const note = el("span", { class: "cej-quiet" });
        node.append(el("label", { class: "cej-switch" }, input, el("span", {}, `${one.number}. ${t.or("levers.principle." + one.number, one.label)} `, note)));
        return { input, note, number: String(one.number) };
      });
      return node;
    }
    let switches = [];

    function group(one, open) {
      const paths = one.levers.filter((path) => !inBudget.has(path));
      const layers = (layer) => paths.filter((path) => byPath.get(path).layer === layer);
      const fold = el("details", { class: "cej-fold cej-group" }, el("summary", {}, el("span", {}, t.or("levers.group." + one.name, one.label)),
        el("span", { class: "cej-count" }, String(one.levers.length))));
      later(fold, () => {
        const out = layers("rules").map(control);
        if (one.levers.some((path) => inBudget.has(path)) && by === "phase") out.push(budget());
        for (const layer of ["mechanisms", "coefficients"]) {
          const inside = layers(layer);
          if (!inside.length) continue;
          const inner = el("details", { class: "cej-fold cej-inner" }, el("summary", {}, t("levers.layer_" + layer), el("span", { class: "cej-count" }, String(inside.length))));
          later(inner, () => inside.map(control));
          out.push(inner);
        }
        return out;
      });
      if (open) { fold.open = true; fold.dispatchEvent(new Event("toggle")); }
      return fold;
    }

    function build() {
      controls.clear();
      budgets = [];
      switches = [];
      body.replaceChildren();
      grouping.hidden = find.hidden = Boolean(only);
      if (only) body.append(...only.filter((path) => byPath.has(path)).map(control));
      else if (query) {
        const found = catalogue.levers.filter((lever) => (label(t, lever) + " " + meaning(t, lever) + " " + lever.path).toLowerCase().includes(query));
        body.append(el("p", { class: "cej-quiet", role: "status" }, t(found.length === 1 ? "levers.found_one" : "levers.found", { count: found.length })),
          ...found.slice(0, 40).map((lever) => control(lever.path)));
      } else {
        body.append(principles());
        if (by === "principle") body.append(budget());
        body.append(...catalogue[by === "phase" ? "phases" : "principles"].map((one) => group(one, false)));
        if (by === "principle") {
          const others = catalogue.levers.filter((lever) => !lever.principle).map((lever) => lever.path);
          body.append(group({ name: "others", label: t("levers.others"), levers: others }, false));
        }
      }
      fill();
    }

    function fill() {
      if (!state) return;
      const two = state.sides.length > 1;
      if (!two && side !== 0) side = 0;
      sides.hidden = !two;
      sideInputs.forEach((input) => (input.checked = input.value === String(side)));
      const place = shownSide();
      for (const [path, list] of controls)
        for (const one of list) {
          const other = side === "both" && two && valueOf(path, 0) !== valueOf(path, 1);
          one.set(valueOf(path, place), baseOf(path, place), other ? t("levers.differs", { a: CEJ.leverText(t, byPath.get(path), valueOf(path, 0)), b: CEJ.leverText(t, byPath.get(path), valueOf(path, 1)) }) : "");
        }
      for (const node of budgets) node.fill();
      for (const one of switches) {
        const found = state.sides[place].principles[one.number];
        one.input.checked = found === "on";
        one.input.indeterminate = found === "part";
        one.note.textContent = found === "part" ? t("levers.part") : "";
      }
      reset.hidden = !Object.keys(state.sides[place].base).length && !state.sides[place].events.length;
      reset.textContent = side === "both" ? t("levers.reset_both") : t("levers.reset", { side: LETTERS[place] });
    }

    return {
      update(next) {
        const first = !state;
        state = next;
        if (first) build();
        else fill();
      },
      options(more) {
        if ("only" in more) { only = more.only && more.only.length ? more.only : null; if (state) build(); }
        if ("side" in more) { side = more.side; fill(); }
      },
    };
  };
})(window.CEJ);
