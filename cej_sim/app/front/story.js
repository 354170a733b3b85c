/* A guided story: a panel that leads a room step by step. It asks before anything is shown, then lets the player play. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const LETTERS = "ABCDEF";

  /** The stages of a story, in order: an opening, then per step ask, look, surprise and talk as far as there is something
      for them, and an end. */
  CEJ.storyStages = function (story) {
    const stages = [{ kind: "open", step: -1 }];
    story.steps.forEach((step, at) => {
      if (step.guess) stages.push({ kind: "ask", step: at });
      if (step.show || step.stop || !step.guess) stages.push({ kind: "look", step: at });
      if (step.surprise || step.guess) stages.push({ kind: "surprise", step: at });
      if (step.exceptions.length || step.questions.length) stages.push({ kind: "talk", step: at });
    });
    stages.push({ kind: "end", step: story.steps.length });
    return stages;
  };

  /**
   * Lead through a story.
   * @param root     Element of the panel.
   * @param given    {story, player, texts, on: {set(show, step), veil(hidden), stage(stage), done()}}. `story` is plain data
   *                 as Python's `stories.told` gives it. `player` is a player, or a function that gives the present one.
   *                 `on.set` puts the histories of a step into the player and may give back a promise; then the story
   *                 sets view and month and plays. `on.veil` hides or shows the player's place.
   * @returns {next, back, goto, update, stage, stages, votes, destroy}
   */
  CEJ.story = function (root, { story: given, player, texts, on = {} }) {
    const t = CEJ.translator(texts);
    let story = given;
    const stages = CEJ.storyStages(story);
    const votes = story.steps.map((step) => (step.guess ? step.guess.options.map(() => 0) : []));
    const played = () => (typeof player === "function" ? player() : player);
    let at = 0, shown = -1, asked = 0, stopped = false;

    root.classList.add("cej", "cej-story");
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", t("story.name") + ": " + story.title);
    const body = el("div", { class: "cej-story-body" });
    const backButton = el("button", { type: "button", class: "cej-story-back", title: t("story.back.hint"), onclick: (e) => go(-1, e) }, t("story.back"));
    const nextButton = el("button", { type: "button", class: "cej-story-next", title: t("story.next.hint"), onclick: (e) => go(1, e) }, t("story.next"));
    const place = el("span", { class: "cej-story-place" });
    root.replaceChildren(body, el("div", { class: "cej-story-foot" }, backButton, place, nextButton));
    const announce = CEJ.announcer(root);

    const stage = () => stages[at];
    const step = () => story.steps[stage().step];
    const count = (n) => votes[n].reduce((sum, one) => sum + one, 0);
    const locked = () => stage().kind === "ask" && count(stage().step) === 0;

    // Pieces

    const paragraph = (kind, text) => el("p", { class: kind }, text);
    function block(kind, heading, ...content) {
      return el("section", { class: "cej-story-" + kind }, el("h3", null, heading), content);
    }
    function title() {
      const now = step();
      return el("header", { class: "cej-story-head" },
        el("p", { class: "cej-story-step" }, t("story.step", { step: stage().step + 1, steps: story.steps.length }), el("span", null, t("story.sheet.minutes", { minutes: now.minutes }))),
        el("h2", null, now.title));
    }

    /** An answer that the room votes for: tap it, type the number, or press its letter. */
    function answer(n, option, place) {
      const number = el("input", {
        type: "number", min: 0, max: 9999, inputmode: "numeric", class: "cej-story-count", value: votes[n][place],
        "aria-label": t("story.guess.votes", { text: option.text }),
        oninput: () => { votes[n][place] = CEJ.clamp(Math.floor(Number(number.value)) || 0, 0, 9999); refresh(); },
      });
      const bar = el("span", { class: "cej-story-bar", "aria-hidden": "true" });
      const tap = el("button", { type: "button", class: "cej-story-tap", "aria-label": t("story.guess.more", { text: option.text }), onclick: () => vote(place, 1) },
        el("b", { class: "cej-story-letter", "aria-hidden": "true" }, LETTERS[place]), el("span", null, option.text), bar);
      const less = el("button", { type: "button", class: "cej-story-less", "aria-label": t("story.guess.fewer", { text: option.text }), onclick: () => vote(place, -1) }, "\u2212");
      const item = el("li", { class: "cej-story-option" }, tap, el("span", { class: "cej-story-tally" }, less, number));
      item.update = (focused) => {
        if (focused !== number) number.value = votes[n][place];
        bar.style.width = (100 * votes[n][place]) / Math.max(1, count(n)) + "%";
        less.disabled = votes[n][place] === 0;
      };
      return item;
    }
    let options = [];
    function refresh() {
      for (const option of options) option.update(document.activeElement);
      nextButton.disabled = locked();
      const hint = root.querySelector(".cej-story-locked");
      if (hint) hint.classList.toggle("cej-story-open", !locked());
    }
    function vote(place, by) {
      const n = stage().step, option = step().guess.options[place];
      votes[n][place] = CEJ.clamp(votes[n][place] + by, 0, 9999);
      refresh();
      announce(t("story.guess.said", { text: option.text, count: votes[n][place] }));
    }

    /** What the room guessed beside what the model did. */
    function outcome(n) {
      const { options: all, answer: best } = story.steps[n].guess, sum = Math.max(1, count(n));
      return el("ol", { class: "cej-story-outcome" }, all.map((option, i) => {
        const share = option.runs ? option.times / option.runs : null;
        return el("li", { class: i === best ? "cej-story-best" : null },
          el("span", { class: "cej-story-line" }, el("b", { class: "cej-story-letter" }, LETTERS[i]), el("span", null, option.text)),
          el("span", { class: "cej-story-two" },
            el("span", { class: "cej-story-meter cej-story-room" }, el("i", { style: { width: (100 * votes[n][i]) / sum + "%" } }), el("em", null, t("story.room", { count: votes[n][i] }))),
            share === null ? null : el("span", { class: "cej-story-meter cej-story-model" }, el("i", { style: { width: 100 * share + "%" } }), el("em", null, t("story.model", { times: option.times, runs: option.runs })))));
      }));
    }

    const list = (items) => el("ul", null, items.map((text) => el("li", null, text)));

    function claims() {
      return el("details", { class: "cej-story-claims" }, el("summary", null, t("story.claims")),
        el("p", null, t("story.claims.hint", { runs: story.runs })),
        el("ul", null, story.claims.map((one) => el("li", null, one.says + ": ", el("b", null, one.often), ". ", one.wide ? t("story.wide", { often: one.wide }) : "", one.fragile ? " (" + t("story.claims.fragile") + ")" : ""))));
    }

    const drawn = {
      open: () => [
        el("p", { class: "cej-story-kicker" }, t("story.name")), el("h2", { class: "cej-story-title" }, story.title),
        paragraph("cej-story-question", story.question), story.for ? paragraph("cej-story-for", story.for) : null,
        paragraph("cej-story-hint", t("story.begin.hint", { minutes: story.minutes, steps: story.steps.length })),
        paragraph("cej-story-honest", t("believe.illustration") + ". " + t("believe.illustration.text")),
      ],
      ask: () => {
        const n = stage().step, now = step();
        options = now.guess.options.map((option, place) => answer(n, option, place));
        return [
          title(), paragraph("cej-story-say", now.say),
          el("section", { class: "cej-story-guess" }, el("h3", null, now.guess.question), el("ol", null, options),
            el("p", { class: "cej-story-hint cej-story-locked" }, el("span", null, t("story.guess.locked")), " ", t("story.guess.hint"))),
        ];
      },
      look: () => {
        const now = step();
        return [title(), now.guess ? null : paragraph("cej-story-say", now.say), now.stop ? block("stop", t("story.look"), paragraph(null, now.stop)) : null,
          now.show ? el("button", { type: "button", class: "cej-story-again", onclick: () => play(true) }, t("story.play")) : null];
      },
      surprise: () => {
        const now = step();
        return [title(), now.surprise ? block("surprise", t("story.surprise"), paragraph(null, now.surprise)) : null,
          now.guess ? block("answers", t("story.before_after"), outcome(stage().step)) : null];
      },
      talk: () => {
        const now = step();
        return [title(), now.exceptions.length ? block("except", t("story.exceptions"), list(now.exceptions)) : null,
          now.questions.length ? block("talk", t("story.questions"), list(now.questions)) : null];
      },
      end: () => [
        el("p", { class: "cej-story-kicker" }, story.title), el("h2", { class: "cej-story-title" }, story.question),
        paragraph("cej-story-say", t("story.end.hint")), paragraph("cej-story-honest", t("believe.illustration") + ". " + t("believe.illustration.text")),
        claims(),
      ],
    };

    // Moving on

    async function setApp() {
      const now = step();
      if (!now || !now.show || shown === stage().step) return;
      shown = stage().step;
      const mine = ++asked;
      if (on.set) await on.set(now.show, shown);
      if (stopped || mine !== asked) return;
      play();
    }
    function play(again) {
      const one = played(), show = step() && step().show;
      if (!one || !show) return;
      one.pause();
      if (show.metrics.length && !again) one.setCharts(show.metrics);
      one.setOptions({ view: show.view, blind: show.blind });
      one.goto(show.begin);
      if (CEJ.calm()) one.goto(show.month);
      else one.setSpeed(Math.max(2, (show.month - show.begin) / 8)).play(show.month);
    }

    function draw(byHand) {
      const { kind } = stage();
      options = [];
      root.dataset.kind = kind;
      const veiled = kind === "open" || kind === "ask" || kind === "end" || !step() || !step().show;
      root.classList.toggle("cej-story-wide", veiled);
      if (on.veil) on.veil(veiled);
      body.replaceChildren(...drawn[kind]().filter(Boolean));
      body.scrollTop = 0;
      backButton.disabled = at === 0;
      nextButton.textContent = t(kind === "open" ? "story.begin" : kind === "ask" ? "story.reveal" : "story.next");
      nextButton.hidden = kind === "end";
      place.textContent = at + 1 + " / " + stages.length;
      refresh();
      const one = played();
      if (veiled) {
        if (one) one.pause();
        asked++;
        shown = -1;
      } else setApp();
      if (byHand) announce(body.innerText.replace(/\s+/g, " ").slice(0, 600));
      if (on.stage) on.stage(stage());
    }
    function go(by, event) {
      const to = CEJ.clamp(at + by, 0, stages.length - 1);
      if (to === at || (by > 0 && locked())) return;
      at = to;
      // After a click, keys belong to the player again; after a key on the button, the focus stays where it is.
      if (event && event.detail) event.currentTarget.blur();
      draw(true);
      if (stage().kind === "end" && on.done) on.done();
    }

    /** A page on or back: first within a text that is longer than its place, then to the next stage. */
    function turn(by) {
      const left = by > 0 ? body.scrollHeight - body.clientHeight - body.scrollTop : body.scrollTop;
      if (left > 8 && getComputedStyle(body).overflowY === "auto") body.scrollBy({ top: by * 0.85 * body.clientHeight });
      else go(by);
    }
    function listen(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || root.closest("[hidden]") || document.querySelector("dialog[open]")) return;
      const field = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "range";
      const letter = event.key.length === 1 && !field ? LETTERS.indexOf(event.key.toUpperCase()) : -1;
      if (event.key === "PageDown") turn(1);
      else if (event.key === "PageUp") turn(-1);
      else if (stage().kind === "ask" && letter >= 0 && letter < step().guess.options.length) vote(letter, event.shiftKey ? -1 : 1);
      else return;
      event.preventDefault();
    }
    document.addEventListener("keydown", listen, true);

    draw(false);
    return {
      next: () => go(1),
      back: () => go(-1),
      /** Go to a stage by its number, whether or not the room has guessed before. */
      goto: (n) => { at = CEJ.clamp(n, 0, stages.length - 1); shown = -1; draw(true); },
      /** The same story, with numbers that are known by now; who reads, votes or types is not disturbed. */
      update: (next) => {
        story = next;
        const fields = () => [...body.querySelectorAll("button, input, summary")], top = body.scrollTop;
        const had = fields().indexOf(document.activeElement), open = Boolean(body.querySelector("details[open]"));
        body.replaceChildren(...drawn[stage().kind]().filter(Boolean));
        refresh();
        body.scrollTop = top;
        const details = body.querySelector("details");
        if (details) details.open = open;
        if (had >= 0 && fields()[had]) fields()[had].focus({ preventScroll: true });
      },
      stage, stages, votes,
      destroy: () => {
        stopped = true;
        document.removeEventListener("keydown", listen, true);
        root.replaceChildren();
        root.classList.remove("cej", "cej-story", "cej-story-wide");
        if (on.veil) on.veil(false);
      },
    };
  };

  /** Payloads whose large arrays stand once in `blobs`, put together again. */
  CEJ.unfold = function (value, blobs) {
    if (Array.isArray(value)) return value.map((one) => CEJ.unfold(one, blobs));
    if (value && typeof value === "object") {
      const out = {};
      for (const [key, one] of Object.entries(value)) {
        if (key === "ref") out.b64 = blobs[one];
        else out[key] = CEJ.unfold(one, blobs);
      }
      return out;
    }
    return value;
  };

  /** The page of a single story, without Python: `given` is {story, payloads, blobs, texts}. */
  CEJ.storyPage = function (root, given) {
    const { story, texts } = given;
    const board = root.querySelector(".cej-page-player"), panel = root.querySelector(".cej-page-panel");
    let player = null, loaded = -1;
    const large = matchMedia("(min-width: 1600px)"); // a projector, or a large screen: then the player's type is large as well
    large.addEventListener("change", () => player && player.setOptions({ presenter: large.matches }));
    function load(n) {
      if (loaded === n) return;
      loaded = n;
      const payload = CEJ.unfold(given.payloads[n], given.blobs);
      if (player) player.setPayload(payload);
      else player = CEJ.player(board, { payload, texts, options: { autoplay: false, presenter: large.matches } });
    }
    const led = CEJ.story(panel, {
      story, texts, player: () => player,
      on: {
        set(show) {
          load(show.payload);
        },
        veil(hidden) {
          root.classList.toggle("cej-page-veiled", hidden);
          if (player && !hidden) player.refit();
        },
      },
    });
    const tabs = [...root.querySelectorAll("[data-page]")];
    function open(name) {
      for (const tab of tabs) {
        const chosen = tab.dataset.page === name;
        if (chosen) tab.setAttribute("aria-current", "page");
        else tab.removeAttribute("aria-current");
        document.getElementById(tab.dataset.page).hidden = !chosen;
      }
      if (player) {
        if (name !== "story") player.pause();
        else player.refit();
      }
    }
    for (const tab of tabs) tab.addEventListener("click", () => open(tab.dataset.page));
    for (const button of root.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
    open("story");
    return { led, open, player: () => player };
  };
})(window.CEJ);
