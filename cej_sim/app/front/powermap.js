/* The organizer's power map of one issue: against to for across, what each brings to the campaign upward. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const TAU = 2 * Math.PI;

  CEJ.views.powermap = function (player) {
    const { t } = player;
    const node = el("div");
    const issueBox = el("select", { "aria-label": t("player.map.issue"), onchange: () => { issue = Number(issueBox.value); player.redraw(); player.refit(); } });
    const sideBox = el("select", { "aria-label": t("player.map.side"), onchange: () => { only = Number(sideBox.value); view.data(show); player.refit(); } });
    const sideLabel = el("label", null, t("player.map.side"), sideBox);
    const pair = el("div", { class: "cej-pair" });
    node.append(el("div", { class: "cej-bar" }, el("label", null, t("player.map.issue"), issueBox), sideLabel, el("span", { class: "cej-soft" }, t("player.map.hint"))), pair);
    let show = null, halves = [], issue = 0, only = -1;
    const view = { el: node };

    view.data = function (opened) {
      show = opened;
      const issues = show.sides[0].issues;
      issue = Math.min(issue, issues.length - 1);
      issueBox.replaceChildren(...issues.map((name, k) => el("option", { value: k, selected: k === issue }, name)));
      if (show.sides.length < 2) only = -1;
      sideLabel.hidden = show.sides.length < 2;
      sideBox.replaceChildren(el("option", { value: -1, selected: only < 0 }, t("player.map.both")),
        ...show.sides.map((side) => el("option", { value: side.place, selected: only === side.place }, side.letter + " \u2013 " + player.title(side.place))));
      pair.classList.toggle("cej-one", only >= 0);
      const shown = only >= 0 ? [show.sides[only]] : show.sides;
      pair.replaceChildren();
      halves = shown.map((side) => {
        const box = el("div", { class: "cej-half" }, player.heading(side.place));
        pair.append(box);
        const half = { side, x: new Float32Array(side.count), y: new Float32Array(side.count), nudge: new Float32Array(side.count) };
        half.surface = CEJ.surface(box, true);
        half.surface.box.classList.add("cej-tall");
        half.text = el("p", { class: "cej-unseen" });
        box.append(half.text);
        for (let i = 0; i < side.count; i++) half.nudge[i] = ((side.agents.row[i] * 0.61803399) % 1) - 0.5;
        player.hoverable(half.surface, side.place, (x, y) => hit(half, x, y));
        return half;
      });
    };

    view.resize = function () {
      for (const half of halves) {
        const { surface } = half, em = player.em;
        surface.resize();
        half.area = { left: 1.6 * em, right: surface.w - 0.8 * em, top: 4.3 * em, bottom: surface.h - 2.9 * em };
        background(half);
      }
    };

    function background(half) {
      const { surface, area } = half, em = player.em;
      const ctx = surface.under;
      ctx.clearRect(0, 0, surface.w, surface.h);
      const wide = area.right - area.left, high = area.bottom - area.top, middle = area.left + wide / 2;
      ctx.fillStyle = "#f6f7f9";
      ctx.fillRect(area.left, area.top, wide, high);
      ctx.strokeStyle = CEJ.colors.faint;
      ctx.lineWidth = 1;
      ctx.beginPath();
      for (let i = 1; i < 4; i++) {
        ctx.moveTo(area.left, area.top + (high * i) / 4);
        ctx.lineTo(area.right, area.top + (high * i) / 4);
      }
      ctx.stroke();
      ctx.strokeStyle = CEJ.colors.soft;
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      ctx.moveTo(middle, area.top);
      ctx.lineTo(middle, area.bottom);
      ctx.moveTo(area.left, area.bottom);
      ctx.lineTo(area.right, area.bottom);
      ctx.stroke();
      ctx.font = CEJ.font(0.95 * em, 700);
      ctx.fillStyle = CEJ.colors.ink;
      ctx.textBaseline = "top";
      ctx.textAlign = "left";
      ctx.fillText("\u2190 " + t("player.map.against"), area.left, area.bottom + 1.15 * em);
      ctx.textAlign = "right";
      ctx.fillText(t("player.map.for") + " \u2192", area.right, area.bottom + 1.15 * em);
      ctx.textAlign = "center";
      ctx.font = CEJ.font(0.85 * em, 500);
      ctx.fillStyle = CEJ.colors.soft;
      if (wide > 30 * em) ctx.fillText(t("player.map.undecided"), middle, area.bottom + 1.2 * em);
      ctx.save();
      ctx.translate(area.left - 0.35 * em, area.bottom);
      ctx.rotate(-TAU / 4);
      ctx.textAlign = "left";
      ctx.textBaseline = "bottom";
      ctx.fillText(t("player.map.power") + " \u2192", 0, 0);
      ctx.restore();
    }

    function hit(half, px, py) {
      let best = -1, least = 14;
      for (let i = 0; i < half.side.count; i++) {
        const dx = half.x[i] - px, dy = half.y[i] - py, distance = Math.sqrt(dx * dx + dy * dy);
        if (distance < least) {
          least = distance;
          best = i;
        }
      }
      return best;
    }

    view.month = function (m, still) {
      if (!still) return;
      for (const half of halves) {
        const { side } = half, K = side.issues.length;
        half.text.textContent = t("player.map.said", {
          title: player.title(side.place), issue: side.issues[issue],
          pressure: side.campaign.pressure[m * K + issue].toFixed(2), opposition: side.campaign.opposition[m * K + issue].toFixed(2), wins: side.campaign.wins[m * K + issue],
        });
      }
    };

    view.draw = function (clock, m) {
      for (const half of halves) {
        const { surface, side, area } = half, { ctx } = surface, em = player.em;
        const n = side.count, K = side.issues.length, { months, stance, push } = side.map, { kind } = side.agents, { flags } = side.month;
        let at = 0;
        while (at + 1 < months.length && months[at + 1] <= clock) at += 1;
        const after = Math.min(at + 1, months.length - 1);
        const part = after > at ? (clock - months[at]) / (months[after] - months[at]) : 0;
        const one = (at * K + issue) * n, two = (after * K + issue) * n, now = m * n;
        const wide = area.right - area.left, high = area.bottom - area.top;
        ctx.clearRect(0, 0, surface.w, surface.h);
        const r = CEJ.clamp(0.0115 * Math.min(wide, high), 3.2, 10);
        for (let i = 0; i < n; i++) {
          const where = (stance[one + i] + part * (stance[two + i] - stance[one + i])) / 255;
          const power = (push[one + i] + part * (push[two + i] - push[one + i])) / 255;
          half.x[i] = area.left + wide * CEJ.clamp(where, 0.015, 0.985);
          half.y[i] = area.bottom - high * (0.035 + 0.93 * power) + half.nudge[i] * (power > 0.02 ? 0 : 0.05 * high);
        }
        for (let which = 0; which < 4; which++) {
          ctx.fillStyle = CEJ.colors.kinds[which];
          ctx.strokeStyle = "#fff";
          ctx.lineWidth = 1;
          ctx.beginPath();
          const size = which === 0 ? r : 1.5 * r;
          for (let i = 0; i < n; i++) if (kind[i] === which) CEJ.outline(ctx, which, half.x[i], half.y[i], size);
          ctx.fill();
          if (which) ctx.stroke();
        }
        ctx.strokeStyle = CEJ.colors.ink;
        ctx.lineWidth = 1.5;
        ctx.beginPath();
        for (let i = 0; i < n; i++)
          if (flags[now + i] & CEJ.MOBILIZED) {
            ctx.moveTo(half.x[i] + r + 2.5, half.y[i]);
            ctx.arc(half.x[i], half.y[i], r + 2.5, 0, TAU);
          }
        ctx.stroke();
        if (player.chosen.side === side.place && player.chosen.place >= 0) {
          ctx.lineWidth = 3;
          ctx.beginPath();
          ctx.arc(half.x[player.chosen.place], half.y[player.chosen.place], 2 * r + 4, 0, TAU);
          ctx.stroke();
        }
        balance(half, clock, m);
      }
    };

    /** Pressure against opposition, as two bars from the middle. */
    function balance(half, clock, m) {
      const { surface, side, area } = half, { ctx } = surface, em = player.em, K = side.issues.length;
      const { pressure, opposition, wins } = side.campaign;
      const next = Math.min(m + 1, show.months), part = clock - m;
      const mix = (values) => values[m * K + issue] + part * (values[next * K + issue] - values[m * K + issue]);
      const up = mix(pressure), down = mix(opposition), most = Math.max(0.05, half.most || (half.most = greatest()));
      const middle = (area.left + area.right) / 2, reach = (area.right - area.left) / 2, y = 1.75 * em, high = 0.95 * em;
      ctx.textBaseline = "alphabetic";
      ctx.fillStyle = "#eceff3";
      ctx.fillRect(area.left, y, 2 * reach, high);
      ctx.fillStyle = "#8b93a1";
      ctx.fillRect(middle - (reach * down) / most, y, (reach * down) / most, high);
      ctx.fillStyle = CEJ.colors.ink;
      ctx.fillRect(middle, y, (reach * up) / most, high);
      ctx.fillRect(middle - 1, y - 3, 2, high + 6);
      ctx.font = CEJ.font(0.88 * em, 600);
      ctx.textAlign = "right";
      ctx.fillText(CEJ.shortened(ctx, t("player.map.opposition") + " " + down.toFixed(2), reach - em), middle - 0.6 * em, y - 0.45 * em);
      ctx.textAlign = "left";
      ctx.fillText(CEJ.shortened(ctx, t("player.map.pressure") + " " + up.toFixed(2), reach - em), middle + 0.6 * em, y - 0.45 * em);
      const won = wins[m * K + issue];
      ctx.font = CEJ.font(0.88 * em, 500);
      ctx.textAlign = "center";
      ctx.fillText((won ? "\u2605".repeat(Math.min(won, 5)) + " " : "") + t("player.map.wins", { n: won, issue: side.issues[issue] }), middle, y + high + 1.15 * em);
    }
    function greatest() {
      let most = 0;
      for (const side of show.sides)
        for (const values of [side.campaign.pressure, side.campaign.opposition]) for (const value of values) most = Math.max(most, value);
      return most;
    }

    return view;
  };
})(window.CEJ);
