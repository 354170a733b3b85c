/* The room: the bar, the player, and the panels beside it; and the bridge to the visitor's session. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const LETTERS = ["A", "B"];

  /** The way to the session. Messages wait until it stands; after a break the page says again where it was. */
  CEJ.bridge = (function () {
    let send = null, listener = null, state = "opening", watching = null;
    const told = (next) => {
      if (state === next) return;
      state = next;
      if (listener) listener({ type: "connection", state });
    };
    return {
      attach(say) {
        send = say;
        if (!watching && window.app && window.app.$watch) {
          // Solara's own frame knows whether the socket stands; ours says it in its own words.
          watching = window.app.$watch("connectionStatus", (now) => {
            if (now === "connected") return send ? told("open") : undefined;
            told("lost");
          });
          window.app.$watch("needsRefresh", (gone) => { if (gone) told("gone"); });
        }
        const again = state !== "opening";
        state = "open";
        if (listener) listener({ type: "connection", state, again, attached: true });
      },
      detach() { send = null; told("lost"); },
      receive(answer) { if (listener) listener(answer); },
      say(message) {
        if (!send || state !== "open") return false;
        send(message);
        return true;
      },
      listen(to) { listener = to; if (send) to({ type: "connection", state, attached: true }); },
      get state() { return state; },
    };
  })();

  CEJ.save = function (name, mime, content) {
    const blob = content instanceof Blob ? content : new Blob([content], { type: mime });
    const url = URL.createObjectURL(blob);
    const link = el("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
  const bytesOf = (b64) => Uint8Array.from(atob(b64), (sign) => sign.charCodeAt(0));

  CEJ.room = async function (root) {
    const base = root.dataset.base;
    const wanted = location.hash.slice(1);
    const early = wanted ? Promise.resolve(null) : fetch(base + "/first.json").then((answer) => (answer.ok ? answer.text() : null)).catch(() => null);
    const start = await fetch(base + "/start.json").then((answer) => answer.json());
    const room = new Room(root, start, wanted);
    CEJ.room.here = room;
    const text = await early;
    if (text && !room.payloadText) room.show(text, true);
  };

  class Room {
    constructor(root, start, wanted) {
      this.root = root;
      this.start = start;
      const t = (this.t = CEJ.translator(start.texts));
      t.or = (key, other) => (t.has(key) ? t(key) : other);
      this.number = 0;
      this.state = null;
      this.link = this.wanted = wanted;
      this.uploads = new Map();
      this.presenter = start.presenter;
      this.panel = null;
      this.player = null;
      this.payloadText = "";
      this.waiting = null; // the newest request that awaits a history
      this.storyLevers = null;
      document.title = t("room.title");
      this.build();
      CEJ.bridge.listen((answer) => this.heard(answer));
      this.present(this.presenter);
      window.addEventListener("hashchange", () => {
        const hash = location.hash.slice(1);
        if (hash && hash !== this.link) this.ask("hello", { link: (this.link = hash) });
      });
    }

    // What is seen

    build() {
      const t = this.t;
      const picker = (place) => {
        const select = el("select", { id: "side-" + place, onchange: () => this.pick() });
        return { node: el("label", { class: "cej-room-pick cej-room-pick-" + place, for: "side-" + place }, el("b", { "aria-hidden": "true" }, LETTERS[place]), el("span", { class: "cej-unseen" }, t("room.side", { side: LETTERS[place] })), select), select };
      };
      this.pickers = [picker(0), picker(1)];
      this.tabs = {};
      const tab = (name, key) => {
        const node = el("button", { type: "button", class: "cej-room-tab", "aria-expanded": "false", "aria-controls": "room-panel", "aria-keyshortcuts": key, title: t("room.tab_key", { key: key.toUpperCase() }), onclick: () => this.open(this.panel === name ? null : name) }, t("room.tab." + name));
        this.tabs[name] = node;
        return node;
      };
      const present = el("button", { type: "button", class: "cej-room-tab", "aria-pressed": "false", "aria-keyshortcuts": "p", title: t("room.tab_key", { key: "P" }), onclick: () => this.present(!this.presenter) }, t("room.present"));
      this.presentButton = present;
      this.bar = el("header", { class: "cej-room-bar" },
        el("h1", { class: "cej-room-name" }, t("room.title")),
        el("div", { class: "cej-room-sides" }, this.pickers[0].node, el("span", { class: "cej-room-versus" }, t("room.versus")), this.pickers[1].node),
        CEJ.scrolling(el("nav", { class: "cej-room-tabs", "aria-label": t("room.tabs") },
          this.start.stories.length ? tab("stories", "g") : null, tab("levers", "l"), tab("whatif", "w"), tab("scenario", "e"), tab("share", "s"), tab("believe", "b"), present)));
      this.stage = el("div", { class: "cej-room-stage" }, el("p", { class: "cej-room-wait", role: "status" }, t("room.opening")));
      this.remarks = el("p", { class: "cej-room-remarks", hidden: true });
      this.notice = el("div", { class: "cej-room-notice", role: "alert", hidden: true });
      this.connection = el("div", { class: "cej-room-lost", role: "alert", hidden: true });
      this.busy = el("div", { class: "cej-room-busy", role: "progressbar", "aria-label": t("room.computing"), hidden: true });
      this.heading = el("h2", { class: "cej-room-heading", tabindex: "-1" });
      this.inside = el("div", { class: "cej-room-inside" });
      this.aside = el("aside", { class: "cej-room-panel", id: "room-panel", hidden: true, "aria-labelledby": "room-heading" },
        el("div", { class: "cej-room-panelhead" }, this.heading, el("button", { type: "button", class: "cej-room-close", "aria-label": t("room.close"), onclick: () => this.open(null) }, "\u2715")), this.inside);
      this.heading.id = "room-heading";
      const main = el("main", { class: "cej-room-main" }, el("div", { class: "cej-room-left" }, this.stage, this.remarks), this.aside);
      this.root.replaceChildren(this.busy, this.bar, this.connection, this.notice, main);
      this.say = CEJ.announcer(this.root);
      this.panels = {};
      CEJ.keys(this.root, [
        ...Object.keys(this.tabs).map((name) => ({ keys: [this.tabs[name].getAttribute("aria-keyshortcuts")], label: t("room.tab." + name), run: () => this.open(this.panel === name ? null : name) })),
        { keys: ["p"], label: t("room.present"), run: () => this.present(!this.presenter) },
        { keys: ["Escape"], label: t("room.close"), run: () => (this.panel ? this.open(null) : this.player && this.player.select(-1, -1)) },
      ]);
      this.fillPickers();
    }

    fillPickers() {
      // Until the session answers, those that the room opens with; of a link nothing is known yet.
      const early = this.wanted ? [] : this.start.opening.map((name) => ({ name, title: "", base: {}, events: [] }));
      const names = this.state ? this.state.sides : early;
      const all = this.start.scenarios;
      this.pickers.forEach(({ node, select }, place) => {
        const side = names[place];
        const own = side && side.own;
        const options = all.map((one) => el("option", { value: one.name }, one.title));
        if (own || names.some((one) => one.own)) options.unshift(el("option", { value: "" }, this.t("room.own", { title: own ? side.title : names.find((one) => one.own).title })));
        if (side && !own && !all.some((one) => one.name === side.name)) options.unshift(el("option", { value: side.name }, side.title)); // of a story
        if (place === 1) options.push(el("option", { value: "-" }, this.t("room.nobody")));
        select.replaceChildren(...options);
        select.value = side ? (own ? "" : side.name) : this.state && place ? "-" : "none";
        const changed = side && (Object.keys(side.base).length || side.events.length);
        node.classList.toggle("is-changed", Boolean(changed));
        select.title = side ? side.title + (changed ? " \u00b7 " + this.t("room.changed") : "") : "";
      });
    }

    pick() {
      const names = this.pickers.map(({ select }) => select.value).filter((name) => name !== "-");
      this.ask("sides", { names });
    }

    open(name) {
      const before = this.panel;
      this.panel = name;
      for (const [other, node] of Object.entries(this.tabs)) {
        node.setAttribute("aria-expanded", String(other === name));
        node.classList.toggle("is-open", other === name);
      }
      this.aside.hidden = !name;
      this.root.classList.toggle("has-panel", Boolean(name));
      this.root.classList.toggle("has-stories", name === "stories");
      if (!name) {
        if (before && this.aside.contains(document.activeElement)) this.tabs[before].focus();
        return this.resized();
      }
      this.heading.textContent = this.t("room.heading." + name);
      if (!this.panels[name]) {
        const node = el("div", { class: "cej-room-of cej-room-of-" + name });
        this.panels[name] = { node, ...(this["make_" + name](node) || {}) };
      }
      this.inside.replaceChildren(this.panels[name].node);
      const made = this.panels[name];
      if (this.state && made.update) made.update(this.state);
      this.heading.focus({ preventScroll: true });
      if (matchMedia("(max-width: 900px)").matches) this.aside.scrollIntoView({ block: "start", behavior: CEJ.calm() ? "auto" : "smooth" });
      this.resized();
    }

    resized() {
      window.dispatchEvent(new Event("resize"));
    }

    present(yes) {
      this.presenter = yes;
      this.root.classList.toggle("is-presenting", yes);
      document.documentElement.classList.toggle("cej-presenting", yes);
      this.presentButton.setAttribute("aria-pressed", String(yes));
      if (this.player) this.player.setOptions({ presenter: yes });
      this.fewLevers();
      this.resized();
    }

    /** In presenter mode a room sees at most the six levers that the story chose. */
    fewLevers() {
      const made = this.panels.levers;
      if (made && made.levers) made.levers.options({ only: this.presenter ? this.storyLevers || FEW : this.storyLevers });
    }

    // Asking and hearing

    ask(type, more) {
      const id = ++this.number;
      const message = { type, id, ...more };
      if (SHOWS.has(type)) {
        this.waiting = id;
        this.slow(true);
      }
      if (!CEJ.bridge.say(message) && CEJ.bridge.state !== "opening") this.fail(this.t("room.wait_connection"));
      else if (CEJ.bridge.state === "opening") (this.early = this.early || []).push(message);
      return id;
    }

    slow(yes) {
      clearTimeout(this.slowTimer);
      if (yes) this.slowTimer = setTimeout(() => (this.busy.hidden = false), 250);
      else this.busy.hidden = true;
    }

    heard(answer) {
      const hear = this["hear_" + answer.type];
      if (hear) hear.call(this, answer);
    }

    hear_connection({ state, again, attached }) {
      if (state === "lost") {
        this.lostTimer = setTimeout(() => {
          this.connection.replaceChildren(el("b", {}, this.t("room.lost")), " ", this.t("room.lost_more"));
          this.connection.hidden = false;
        }, 400);
        return;
      }
      clearTimeout(this.lostTimer);
      if (state === "gone") {
        this.connection.replaceChildren(el("b", {}, this.t("room.gone")), " ", el("button", { type: "button", class: "cej-button", onclick: () => location.reload() }, this.t("room.reload")));
        this.connection.hidden = false;
        return;
      }
      const back = !this.connection.hidden || again;
      this.connection.hidden = true;
      if (attached && again) {
        // A new session: what was uploaded goes first, then where we were.
        for (const [name, b64] of this.uploads) this.ask("upload", { name, b64 });
      }
      if (attached || back) this.ask("hello", { link: this.link || null, width: innerWidth });
      if (back) this.say(this.t("room.back"));
      for (const message of this.early || []) CEJ.bridge.say(message);
      this.early = [];
    }

    hear_state({ state, link, problem, id }) {
      if (!this.state) performance.mark("cej-controls");
      this.state = state;
      this.keep(link);
      if (problem) this.fail(problem);
      else if (id === this.waiting || this.waiting === null) this.notice.hidden = true;
      this.fillPickers();
      const made = this.panel && this.panels[this.panel];
      for (const one of Object.values(this.panels)) if (one.update) one.update(state);
      this.remarks.textContent = state.remarks.join(". ");
      this.remarks.hidden = !state.remarks.length;
    }

    hear_link({ link }) { this.keep(link); }

    /** The address always says what is shown, so that a reload and a copied address bring it back. */
    keep(link) {
      this.link = link || "";
      const at = location.pathname + location.search + (link ? "#" + link : "");
      try { history.replaceState(null, "", at); } catch (error) { /* some browsers limit how often */ }
      if (this.panels.share && this.panels.share.link) this.panels.share.link(link);
    }

    hear_payload({ payload, id, whole }) {
      if (this.waiting !== null && id < this.waiting) return; // of an older request
      this.show(payload, whole);
      if (this.then && id >= this.then.id) {
        this.then.done();
        this.then = null;
      }
      if (whole) {
        this.waiting = null;
        this.slow(false);
      }
    }

    show(text, whole) {
      if (text !== this.payloadText) {
        this.payloadText = text;
        this.payload = JSON.parse(text);
        if (this.player) this.player.setPayload(this.payload);
        else {
          const inside = el("div", { class: "cej-room-player" });
          this.stage.replaceChildren(inside);
          const at = this.state || { view: "tables", month: 0 };
          const linked = Boolean(this.wanted);
          this.player = CEJ.player(inside, { payload: this.payload, texts: this.start.texts, around: this.root, keys: this.keys(),
            options: { view: at.view, presenter: this.presenter, autoplay: !linked && !CEJ.calm(), month: at.month, speed: 1 },
            on: { month: (month) => this.placed({ month }), view: (view) => this.placed({ view }), agent: () => {}, event: () => {} } });
        }
        performance.mark("cej-shown");
        this.root.dataset.runs = this.payload.runs;
        this.root.dataset.shown = String(Number(this.root.dataset.shown || 0) + 1);
      }
      if (whole) this.root.dataset.ready = "true";
    }

    placed(more) {
      if (this.state) Object.assign(this.state, more);
      if ("month" in more && this.panels.whatif && this.panels.whatif.month) this.panels.whatif.month(more.month);
      clearTimeout(this.placeTimer);
      this.placeTimer = setTimeout(() => {
        if (CEJ.bridge.state === "open") this.ask("place", { month: this.player.month(), view: this.player.view() });
      }, 300);
    }

    hear_failed({ text, id }) {
      if (id === this.waiting) {
        this.waiting = null;
        this.slow(false);
      }
      if (this.panels.stories) this.panels.stories.failed(id);
      this.fail(text);
      // Controls go back to what holds.
      if (this.state) for (const one of Object.values(this.panels)) if (one.update) one.update(this.state);
    }

    fail(text) {
      this.notice.replaceChildren(el("span", {}, text), el("button", { type: "button", class: "cej-room-close", "aria-label": this.t("room.close"), onclick: () => (this.notice.hidden = true) }, "\u2715"));
      this.notice.hidden = false;
    }

    hear_file({ name, mime, b64 }) {
      this.slow(false);
      CEJ.save(name, mime, bytesOf(b64));
      this.say(this.t("room.saved", { name }));
      if (this.panels.share && this.panels.share.done) this.panels.share.done();
    }
    hear_busy() { this.slow(true); }
    hear_story(answer) { if (this.panels.stories) this.panels.stories.told(answer); }
    hear_trying(answer) { if (this.panels.stories) this.panels.stories.trying(answer); }
    hear_problems(answer) { if (this.panels.scenario) this.panels.scenario.problems(answer); }
    hear_yaml(answer) {
      if (this.saving === answer.id) return CEJ.save(answer.name, "application/yaml", answer.text);
      if (this.panels.scenario) this.panels.scenario.load(answer);
    }
    hear_uploaded(answer) { if (this.panels.scenario) this.panels.scenario.uploaded(answer); }
    hear_vote(answer) { if (this.panels.whatif) this.panels.whatif.vote(answer); }

    // Panels

    make_levers(node) {
      const levers = CEJ.levers(node, { catalogue: this.start.catalogue, t: this.t, on: {
        set: (values, side) => this.ask("set", { values, side }),
        principle: (number, on, side) => this.ask("principle", { number, on, side }),
        reset: (side) => this.ask("reset", { side }),
      } });
      setTimeout(() => this.fewLevers());
      return { levers, update: (state) => levers.update(state) };
    }

    make_whatif(node) {
      const t = this.t, catalogue = this.start.catalogue;
      let side = 1, path = "governance.decide.votes.residents", value, control = null, state = null, month = 0;
      const when = el("p", { class: "cej-whatif-when" });
      const sides = el("fieldset", { class: "cej-choice" }, el("legend", {}, t("levers.side")));
      const inputs = [0, 1].map((place) => {
        const input = el("input", { type: "radio", name: "whatif-side", value: place, onchange: () => { side = place; draw(); } });
        sides.append(el("label", {}, input, el("span", {}, LETTERS[place])));
        return input;
      });
      const changeable = catalogue.levers.filter((lever) => lever.layer === "rules" && lever.phase !== "community" && lever.phase !== "network");
      const rule = el("select", { id: "whatif-rule", onchange: () => { path = rule.value; draw(); } },
        catalogue.phases.map((phase) => {
          const inside = changeable.filter((lever) => lever.phase === phase.name);
          return inside.length ? el("optgroup", { label: t.or("levers.group." + phase.name, phase.label) },
            inside.map((lever) => el("option", { value: lever.path }, t.or("levers.label." + lever.path, lever.label)))) : null;
        }));
      const place = el("div");
      const beside = el("input", { type: "checkbox", checked: true });
      const besideLabel = el("label", { class: "cej-check" }, beside, el("span", {}, t("room.whatif.beside")));
      const vote = el("div", { class: "cej-vote", "aria-live": "polite" });
      const events = el("div", { class: "cej-whatif-events" });
      const button = (key, run, primary) => el("button", { type: "button", class: "cej-button" + (primary ? " is-primary" : ""), onclick: run }, t(key));
      const change = () => ({ side, month, values: { [path]: value } });
      node.append(
        el("p", { class: "cej-quiet" }, t("room.whatif.intro")), when, sides,
        el("label", { class: "cej-field", for: "whatif-rule" }, el("span", {}, t("room.whatif.rule")), rule), place,
        el("div", { class: "cej-row" }, button("room.whatif.ask", () => { vote.replaceChildren(); this.ask("whatif", change()); }, true),
          button("room.whatif.mandate", () => this.ask("apply", { ...change(), by: "mandate", beside: beside.checked }))),
        besideLabel, vote, events);

      const draw = () => {
        if (!state) return;
        side = Math.min(side, state.sides.length - 1);
        inputs.forEach((input, i) => (input.checked = i === side));
        sides.hidden = besideLabel.hidden = state.sides.length < 2;
        rule.value = path;
        const lever = changeable.find((one) => one.path === path);
        const now = inForce(state.sides[side], path, month);
        value = lever.kind === "switch" ? !now : lever.kind === "choice" ? lever.choices.find((one) => one !== now)
          : CEJ.clamp(now + (now < (lever.low + lever.high) / 2 ? 1 : -1) * Math.max(lever.step, Math.round((0.2 * (lever.high - lever.low)) / lever.step) * lever.step), lever.low, lever.high);
        if (typeof value === "number") value = lever.kind === "count" ? Math.round(value) : Number(value.toPrecision(10));
        control = CEJ.leverControl(t, lever, (next) => { value = next; control.set(value); vote.replaceChildren(); });
        control.set(value);
        place.replaceChildren(el("p", { class: "cej-quiet" }, t("room.whatif.now", { value: CEJ.leverText(t, lever, now) })), control.node);
        vote.replaceChildren();
        listed();
      };
      const listed = () => {
        const found = state.sides.flatMap((one, i) => one.events.map((event, j) => ({ event, i, j })));
        events.replaceChildren(...(found.length ? [el("h3", {}, t("room.whatif.added")), el("ul", {}, found.map(({ event, i, j }) =>
          el("li", {}, el("span", {}, `${LETTERS[i]} \u00b7 ` + t("room.whatif.event_" + event.by, { month: event.month }) + ": " +
            Object.entries(event.set).map(([p, v]) => { const lever = catalogue.levers.find((one) => one.path === p); return `${t.or("levers.label." + p, lever.label)} ${CEJ.leverText(t, lever, v)}`; }).join(", ")),
            el("button", { type: "button", class: "cej-link", onclick: () => this.ask("forget", { side: i, event: j }) }, t("room.whatif.forget")))))] : []));
      };
      const at = (next) => {
        month = next;
        when.textContent = t("room.whatif.when", { month });
      };
      at(this.player ? this.player.month() : 0);
      return {
        update: (next) => {
          const same = state && JSON.stringify(state.sides) === JSON.stringify(next.sides);
          state = next;
          if (!same) draw();
        },
        month: (next) => {
          if (next === month) return; // told again, for another reason: what is shown still holds
          at(next);
          vote.replaceChildren();
        },
        vote: (answer) => CEJ.vote(vote, answer, { t, payload: this.payload, side,
          apply: () => this.ask("apply", { ...change(), by: "motion", beside: beside.checked }) }),
      };
    }

    make_scenario(node) {
      const t = this.t;
      let name = "scenario.yaml", target = 1;
      const editor = CEJ.editor(node.appendChild(el("div")), { t, most: this.start.limits.text, on: { check: (text) => this.ask("check", { yaml: text }) } });
      const body = node.firstChild;
      const source = el("select", { id: "scenario-source", onchange: () => take() });
      const button = (key, run, primary) => el("button", { type: "button", class: "cej-button" + (primary ? " is-primary" : ""), onclick: run }, key);
      const file = el("input", { type: "file", id: "scenario-file", multiple: true, accept: ".yaml,.yml,.graphml,.gexf,.gml,.csv", onchange: () => upload() });
      const files = el("ul", { class: "cej-files" });
      const runA = button(t("room.scenario.run", { side: "A" }), () => run(0));
      const runB = button(t("room.scenario.run", { side: "B" }), () => run(1), true);
      node.prepend(
        el("p", { class: "cej-quiet" }, t("room.scenario.intro")),
        el("label", { class: "cej-field", for: "scenario-source" }, el("span", {}, t("room.scenario.from")), source));
      node.append(el("div", { class: "cej-row" }, runB, runA, button(t("room.scenario.download"), () => CEJ.save(name, "application/yaml", editor.text()))),
        el("div", { class: "cej-upload" }, el("label", { class: "cej-field", for: "scenario-file" }, el("span", {}, t("room.scenario.upload")), file),
          el("p", { class: "cej-quiet" }, t("room.scenario.upload_note", { size: Math.floor(this.start.limits.upload / 1e5) / 10 })), files));
      const run = (side) => {
        target = Math.min(side, this.state ? this.state.sides.length - 1 : side);
        this.ask("run_yaml", { yaml: editor.text(), side: target });
      };
      const take = () => {
        const [kind, which] = source.value.split(":");
        if (kind === "side") this.ask("yaml", { side: Number(which) });
      };
      const upload = async () => {
        for (const one of file.files) {
          const ending = one.name.slice(one.name.lastIndexOf(".") + 1).toLowerCase();
          if (one.size > this.start.limits.upload) { this.fail(t("room.scenario.too_large", { name: one.name, size: Math.floor(this.start.limits.upload / 1e5) / 10 })); continue; }
          if (ending === "yaml" || ending === "yml") {
            editor.load(await one.text());
            name = one.name;
          } else {
            const bytes = new Uint8Array(await one.arrayBuffer());
            let text = "";
            for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode.apply(null, bytes.subarray(i, i + 32768));
            const b64 = btoa(text);
            this.uploads.set(one.name, b64);
            this.ask("upload", { name: one.name, b64 });
          }
        }
        file.value = "";
      };
      let filled = "";
      return {
        update: (state) => {
          const now = state.sides.map((side, i) => `${i}${side.title}${side.name}`).join("|");
          runA.hidden = false;
          runB.hidden = state.sides.length < 2;
          if (now === filled) return;
          const first = !filled;
          filled = now;
          const chosen = source.value;
          source.replaceChildren(el("option", { value: "" }, t("room.scenario.choose")), ...state.sides.map((side, i) => el("option", { value: "side:" + i }, t("room.scenario.side", { side: LETTERS[i], title: side.title }))));
          if (first && !editor.text()) { source.value = "side:" + (state.sides.length - 1); take(); } else source.value = chosen;
        },
        load: (answer) => { name = answer.name; editor.load(answer.text); },
        problems: (answer) => editor.problems(answer.lines, answer.remarks),
        uploaded: (answer) => {
          files.replaceChildren(...answer.files.map((one) => el("li", {}, el("code", {}, one), " ",
            el("button", { type: "button", class: "cej-link", onclick: () => editor.append(`network:\n  file: ${one}\n`) }, t("room.scenario.use")))));
          this.say(t("room.scenario.uploaded", { name: answer.name }));
          if (editor.text()) this.ask("check", { yaml: editor.text() });
        },
      };
    }

    make_share(node) {
      const t = this.t;
      const field = el("input", { id: "share-link", type: "text", readonly: true, onfocus: () => field.select() });
      const long = el("p", { class: "cej-quiet", hidden: true }, t("room.share.too_long"));
      const copied = el("span", { class: "cej-quiet", role: "status" });
      const copy = el("button", { type: "button", class: "cej-button is-primary", onclick: async () => {
        try { await navigator.clipboard.writeText(field.value); } catch (error) { field.focus(); document.execCommand("copy"); }
        copied.textContent = t("room.share.copied");
        setTimeout(() => (copied.textContent = ""), 3000);
      } }, t("room.share.copy"));
      const seed = el("input", { id: "share-seed", type: "number", min: 0, max: 2 ** 53 - 1, step: 1, onchange: () => { if (seed.checkValidity() && seed.value !== "") this.ask("seed", { seed: Number(seed.value) }); else seed.reportValidity(); } });
      const other = el("button", { type: "button", class: "cej-button", onclick: () => this.ask("seed", { seed: (this.state.seed + 1) % (2 ** 53) }) }, t("room.share.luck"));
      const exports = el("div", { class: "cej-row" });
      const button = (text, run) => el("button", { type: "button", class: "cej-button", onclick: run }, text);
      exports.append(button(t("room.share.png"), async () => CEJ.save("cej-sim.png", "image/png", await this.player.png())),
        button(t("room.share.csv"), () => this.ask("export", { what: "csv" })), button(t("room.share.report"), () => this.ask("export", { what: "report" })),
        ...[0, 1].map((side) => button(t("room.share.yaml", { side: LETTERS[side] }), () => (this.saving = this.ask("yaml", { side })))));
      node.append(el("label", { class: "cej-field", for: "share-link" }, el("span", {}, t("room.share.link")), field), el("div", { class: "cej-row" }, copy, copied), long,
        el("p", { class: "cej-quiet" }, t("room.share.note")),
        el("h3", {}, t("room.share.export")), exports, el("p", { class: "cej-quiet" }, t("room.share.export_note", { runs: this.start.limits.runs })),
        el("h3", {}, t("room.share.seed")), el("p", { class: "cej-quiet" }, t("room.share.seed_note")), el("div", { class: "cej-row" }, el("label", { class: "cej-unseen", for: "share-seed" }, t("room.share.seed")), seed, other),
        el("h3", {}, t("room.share.keys")), this.keysTable());
      const link = (text) => {
        field.value = text ? location.origin + location.pathname + "#" + text : "";
        long.hidden = Boolean(text);
      };
      link(this.link);
      return { link, update: (state) => { if (document.activeElement !== seed) seed.value = state.seed; exports.lastChild.hidden = state.sides.length < 2; } };
    }

    /** The keys of the room and what they do. */
    keys() {
      const rows = Object.entries(this.tabs).map(([name, node]) => [node.getAttribute("aria-keyshortcuts"), this.t("room.tab." + name)]);
      return [...rows, ["p", this.t("room.present")], ["Esc", this.t("room.close_panel")], ["PgDn", this.t("story.next.key")], ["PgUp", this.t("story.back.key")]];
    }

    keysTable() {
      const rows = [...this.keys(), ["?", this.t("room.share.player_keys")]];
      return el("table", { class: "cej-keys" }, el("tbody", {}, rows.map(([key, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, what)))));
    }

    make_stories(node) {
      const t = this.t;
      const cards = el("div", { class: "cej-stories" });
      const bar = el("progress", { max: 1, value: 0, "aria-label": t("room.stories.trying_bar") });
      const far = el("span");
      const wait = el("p", { class: "cej-quiet cej-stories-trying", hidden: true }, bar, far);
      const stage = el("div", { class: "cej-story-stage" });
      const leave = el("button", { type: "button", class: "cej-link", hidden: true, onclick: () => stop() }, t("room.stories.leave"));
      node.append(el("div", { class: "cej-stories-head" }, leave, wait), cards, stage);
      let playing = null, wanted = 0, runs = 0;
      const stop = () => {
        if (playing) playing.destroy();
        playing = null;
        wanted = 0;
        wait.hidden = true;
        node.classList.remove("is-telling");
        this.root.classList.remove("is-telling");
        leave.hidden = true;
        cards.hidden = false;
        this.root.classList.remove("is-veiled");
        this.storyLevers = null;
        this.fewLevers();
        if (this.player) this.player.setCharts(null).setOptions({ blind: false });
      };
      cards.append(el("p", { class: "cej-quiet" }, t("room.stories.intro")), ...this.start.stories.map((story) =>
        el("article", { class: "cej-story-card" }, el("h3", {}, story.title), el("p", {}, story.question),
          el("p", { class: "cej-quiet" }, t("room.stories.minutes", { minutes: story.minutes, for: story.for })),
          el("button", { type: "button", class: "cej-button is-primary", onclick: () => {
            wanted = this.ask("story", { name: story.name });
          } }, t("room.stories.begin")))));
      return {
        /** A story, at first with some numbers missing; told again when they are known. */
        told: ({ story, whole, runs: over, id }) => {
          if (id !== wanted) return;
          runs = over;
          wait.hidden = whole;
          if (playing) return playing.update(story);
          this.panels.stories.trying({ id, done: 0, total: 1 });
          node.classList.add("is-telling");
          this.root.classList.add("is-telling"); // whose names a story may keep to itself until the room has guessed
          cards.hidden = true;
          leave.hidden = false;
          this.storyLevers = story.levers;
          this.fewLevers();
          playing = CEJ.story(stage, { story, player: () => this.player, texts: this.start.texts, on: {
            set: (show) => this.shownThen(this.ask("stage", { story: story.name, a: show.a, b: show.b, month: show.month })),
            veil: (hidden) => {
              this.root.classList.toggle("is-veiled", hidden);
              this.resized();
            },
          } });
        },
        /** How far the trial of the claims is. */
        trying: ({ id, done, total }) => {
          if (id !== wanted) return;
          bar.value = done / total;
          far.textContent = t(runs ? "room.stories.trying" : "room.stories.trying_first", { percent: CEJ.percent(done / total), runs });
        },
        failed: (id) => { if (id === wanted) wait.hidden = true; },
      };
    }

    /** A promise that is kept when the histories of a request are shown. */
    shownThen(id) {
      return new Promise((done) => (this.then = { id, done }));
    }

    /** Why to believe any of it: a piece of HTML that Python made, from our own words alone. */
    make_believe(node) {
      const inside = el("div");
      inside.innerHTML = this.start.believe;
      node.append(inside);
      return {};
    }
  }

  /** The levers of a room where no story has chosen others. */
  const FEW = ["governance.decide.votes.residents", "governance.convene.seats.residents", "governance.decide.budget.organizing", "governance.organize.autonomy", "governance.coordinate.charter", "governance.decide.strategy"];
  const SHOWS = new Set(["hello", "sides", "set", "principle", "reset", "seed", "stage", "run_yaml", "apply", "forget"]);

  /** The rule after a month, as far as mandates that were added made it. */
  function inForce(side, path, month) {
    let value = side.values[path];
    for (const event of side.events) if (event.by === "mandate" && event.month <= month && path in event.set) value = event.set[path];
    return value;
  }

  /** Who voted how, by what weight, and why. */
  CEJ.vote = function (root, answer, { t, payload, side, apply }) {
    if (answer.month === null) {
      root.replaceChildren(el("p", { class: "cej-vote-never" }, t(answer.why_not)));
      return;
    }
    const kinds = CEJ.KINDS;
    const side_ = payload && payload.sides[answer.side];
    const agents = side_ ? CEJ.decodeAll(side_.agents) : null;
    const called = (member) => {
      const place = agents ? agents.row.indexOf(member.row) : -1;
      if (place >= 0 && agents.name && agents.name[place]) return agents.name[place];
      return t("player.agent." + kinds[member.kind], { n: place >= 0 ? agents.number[place] : member.row + 1 });
    };
    const against = 1 - answer.share;
    const bar = el("div", { class: "cej-vote-bar", role: "img", "aria-label": t("room.vote.bar", { for: CEJ.percent(answer.share), needed: CEJ.percent(answer.threshold) }) },
      answer.blocs.map((bloc) => el("span", { class: "is-for cej-kind-" + bloc.kind, style: { flexGrow: String(bloc.weight_for) }, title: t("room.vote.kind_" + bloc.kind) })),
      answer.blocs.map((bloc) => el("span", { class: "is-against cej-kind-" + bloc.kind, style: { flexGrow: String(bloc.weight - bloc.weight_for) }, title: t("room.vote.kind_" + bloc.kind) })),
      el("i", { class: "cej-vote-needed", style: { left: 100 * answer.threshold + "%" } }));
    const scale = Math.max(0.3, ...answer.blocs.flatMap((bloc) => Object.values(bloc.terms).map(Math.abs)));
    const term = (value) => el("span", { class: "cej-term", title: value.toFixed(2) }, el("i", { class: value < 0 ? "is-minus" : "is-plus", style: { width: Math.min(50, (50 * Math.abs(value)) / scale) + "%" } }), el("span", { class: "cej-unseen" }, value.toFixed(2)));
    const blocs = el("table", { class: "cej-vote-blocs" }, el("caption", {}, t("room.vote.blocs")), el("thead", {}, el("tr", {},
      ["kind", "for", "say", "loss", "openness", "belief", "pressure"].map((name) => el("th", { scope: "col" }, t("room.vote.col_" + name))))),
      el("tbody", {}, answer.blocs.map((bloc) => el("tr", {}, el("th", { scope: "row" }, t("room.vote.kind_" + bloc.kind)),
        el("td", {}, t("room.vote.of", { for: bloc.for, all: bloc.members })), el("td", {}, CEJ.percent(bloc.weight)),
        ["loss", "openness", "belief", "pressure"].map((name) => el("td", {}, term(bloc.terms[name])))))));
    const members = el("details", { class: "cej-fold" }, el("summary", {}, el("span", {}, t("room.vote.members", { count: answer.voters }))),
      el("table", { class: "cej-vote-members" }, el("thead", {}, el("tr", {}, ["member", "vote", "say", "then", "reason"].map((name) => el("th", { scope: "col" }, t("room.vote.col_" + name))))),
        el("tbody", {}, answer.members.map((member) => el("tr", {}, el("th", { scope: "row" }, called(member)),
          el("td", { class: member.for ? "is-yes" : "is-no" }, t(member.for ? "room.vote.yes" : "room.vote.no")), el("td", {}, CEJ.percent(member.weight)), el("td", {}, CEJ.percent(member.then)),
          el("td", {}, t(`room.vote.reason_${member.reason}_${member.for ? "for" : "against"}`)))))));
    root.replaceChildren(
      el("p", { class: "cej-vote-said " + (answer.passed ? "is-yes" : "is-no") }, t(answer.passed ? "room.vote.passed" : "room.vote.failed", { month: answer.month, for: CEJ.percent(answer.share), against: CEJ.percent(against), needed: CEJ.percent(answer.threshold) })),
      bar, blocs, members, el("p", { class: "cej-quiet" }, t("room.vote.note")),
      el("div", { class: "cej-row" }, el("button", { type: "button", class: "cej-button", onclick: apply }, t("room.whatif.motion"))));
  };
})(window.CEJ);
