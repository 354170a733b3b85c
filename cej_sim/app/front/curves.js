/* Curves over time: the mean of the runs with the band that holds most of them, and the difference between the sides.
   Charts are drawn once; while the clock runs only a line and a curtain move. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const USUAL = ["agenda_origin", "decision_share", "burden", "policy_wins"];
  const DASH = [[], [9, 6]];

  const isShare = (metric) => metric.unit === "share" || metric.unit === "yes/no" || metric.unit === "mean";

  CEJ.number = function (value, metric, signed) {
    if (Number.isNaN(value)) return "\u2013";
    const sign = signed && value > 0 ? "+" : "";
    const minus = (text) => text.replace("-", "\u2212");
    if (metric.unit === "share" || metric.unit === "yes/no") return sign + minus(String(Math.round(100 * value))) + (signed ? "" : "\u202f%");
    return sign + minus(value.toFixed(Math.abs(value) >= 20 ? 0 : metric.unit === "mean" ? 2 : 1));
  };

  function steps(low, high, most) {
    const rough = (high - low) / most;
    const power = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.999) || rough;
    const out = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step) out.push(Math.abs(value) < 1e-9 ? 0 : value);
    return out;
  }

  /** What the charts of a page show, in their order: some metrics, and the usual ones where none are given. */
  CEJ.pickCharts = (names) => (names && names.length ? names : USUAL).forEach((name, i) => (CEJ.charts.picked[i] = name));

  /** A grid of charts. `difference`: draw B - A instead of the sides; `columns`: 1 for a strip, 2 for a square. */
  CEJ.charts = function (player, { difference = false, columns = 2 } = {}) {
    const { t } = player;
    const node = el("div", { class: "cej-charts cej-columns-" + columns });
    let show = null, charts = [];
    const { picked } = CEJ.charts; // the same for all grids of a page
    const view = { el: node };

    view.data = function (opened) {
      show = opened;
      node.replaceChildren();
      charts = picked.map((name, place) => {
        if (!(name in show.place)) name = picked[place] = show.metrics[0].name;
        const chart = { name, place, values: [] };
        const select = el("select", {
          class: "cej-metric", "data-print": "", "aria-label": t("player.curves.choose", { n: place + 1 }), onchange: () => {
            picked[place] = chart.name = select.value;
            tell(chart);
            draw(chart);
            player.refit();
          },
        });
        for (const [family, heading] of Object.entries(show.families)) {
          const group = el("optgroup", { label: t.has("player.family." + family) ? t("player.family." + family) : heading });
          for (const metric of show.metrics)
            if (metric.family === family) group.append(el("option", { value: metric.name, selected: metric.name === name }, label(metric)));
          select.append(group);
        }
        const readout = el("div", { class: "cej-values", "data-print": "" });
        if (difference) chart.values.push(value(readout, "B \u2212 A", ""));
        else for (const side of show.sides) chart.values.push(value(readout, side.letter, "cej-of-" + side.letter));
        const box = el("figure", { class: "cej-chart" }, el("figcaption", null, select, readout));
        node.append(box);
        chart.surface = CEJ.surface(box);
        chart.curtain = el("div", { class: "cej-curtain", "aria-hidden": "true" });
        chart.line = el("div", { class: "cej-hair", "aria-hidden": "true" });
        chart.surface.box.append(chart.curtain, chart.line);
        chart.surface.box.classList.add("cej-plot");
        chart.text = el("p", { class: "cej-unseen" });
        box.append(chart.text);
        chart.surface.canvas.addEventListener("pointerdown", (event) => scrub(chart, event));
        chart.surface.canvas.addEventListener("pointermove", (event) => event.buttons & 1 && scrub(chart, event));
        tell(chart);
        return chart;
      });
    };
    function tell(chart) {
      chart.metric = show.metrics[show.place[chart.name]];
      chart.surface.canvas.title = chart.metric.meaning;
    }
    const label = (metric) => (t.has("player.metric." + metric.name) ? t("player.metric." + metric.name) : metric.label);
    function value(parent, letter, extra) {
      const number = el("b");
      parent.append(el("span", { class: "cej-value " + extra }, el("i", null, letter), number));
      return number;
    }
    function scrub(chart, event) {
      const box = chart.surface.canvas.getBoundingClientRect();
      if (player.playing()) player.pause();
      player.goto(((event.clientX - box.left - chart.left) / (chart.right - chart.left)) * show.months);
    }

    view.resize = function () {
      for (const chart of charts) {
        chart.surface.resize();
        draw(chart);
      }
    };

    function draw(chart) {
      const { surface, metric } = chart, { ctx, w, h } = surface, em = player.em, months = show.months, G = show.width;
      const at = show.place[chart.name];
      const lines = difference ? [show.difference] : show.bands;
      let low = Infinity, high = -Infinity;
      for (const line of lines)
        for (let m = 0; m <= months; m++)
          for (const value of [line.low[m * G + at], line.mid[m * G + at], line.high[m * G + at]])
            if (!Number.isNaN(value)) {
              low = Math.min(low, value);
              high = Math.max(high, value);
            }
      if (!difference) for (const side of show.sides) for (let m = 0; m <= months; m++) {
        const value = side.metrics[m * G + at];
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      if (low > high) [low, high] = [0, 1];
      if (difference) {
        const reach = Math.max(Math.abs(low), Math.abs(high), isShare(metric) ? 0.02 : 0.05);
        low = Math.min(low, -0.12 * reach);
        high = Math.max(high, 0.12 * reach);
      } else if (isShare(metric)) {
        low = 0;
        high = high > 0.5 ? 1 : high > 0.25 ? 0.5 : 0.25;
      } else if (metric.unit === "band") [low, high] = [0.8, 3.2];
      else [low, high] = [Math.min(0, low), Math.max(1, high * 1.05)];
      const pad = (difference ? 0.15 : 0.04) * (high - low);
      const top = 0.7 * em, bottom = h - 1.6 * em, left = 2.9 * em, right = w - 0.9 * em;
      Object.assign(chart, { left, right });
      const x = (m) => left + ((right - left) * m) / Math.max(1, months);
      const y = (value) => bottom - ((bottom - top) * (value - low + pad)) / (high - low + 2 * pad);
      ctx.clearRect(0, 0, w, h);
      ctx.font = CEJ.font(0.78 * em);
      ctx.textBaseline = "middle";
      ctx.textAlign = "right";
      ctx.lineWidth = 1;
      for (const value of steps(low, high, (bottom - top) / (2.2 * em))) {
        ctx.strokeStyle = difference && value === 0 ? CEJ.colors.ink : "#e3e6eb";
        ctx.lineWidth = difference && value === 0 ? 1.6 : 1;
        ctx.beginPath();
        ctx.moveTo(left, y(value));
        ctx.lineTo(right, y(value));
        ctx.stroke();
        ctx.fillStyle = CEJ.colors.soft;
        ctx.fillText(CEJ.number(value, metric, difference), left - 0.4 * em, y(value));
      }
      ctx.textBaseline = "top";
      ctx.textAlign = "center";
      const every = [1, 2, 3, 6, 12, 24, 60, 120].find((step) => (months / step) * 3 * em < right - left) || 120;
      for (let m = 0; m <= months; m += every) ctx.fillText(String(m), x(m), bottom + 0.35 * em);
      if (difference) {
        ctx.textAlign = "left";
        ctx.font = CEJ.font(0.82 * em, 600);
        ctx.fillText("\u2191 " + t("player.curves.more", { letter: "B" }), left + 0.4 * em, top - 0.2 * em);
        ctx.textBaseline = "bottom";
        ctx.fillText("\u2193 " + t("player.curves.more", { letter: "A" }), left + 0.4 * em, bottom - 0.05 * em);
      }
      lines.forEach((line, place) => {
        const color = difference ? CEJ.colors.ink : CEJ.colors.sides[place];
        ctx.fillStyle = color;
        ctx.globalAlpha = difference ? 0.18 : place ? 0.2 : 0.15;
        stretches(line.low, (from, to) => {
          ctx.beginPath();
          for (let m = from; m <= to; m++) ctx.lineTo(x(m), y(line.low[m * G + at]));
          for (let m = to; m >= from; m--) ctx.lineTo(x(m), y(line.high[m * G + at]));
          ctx.fill();
        }, at);
        ctx.globalAlpha = 1;
        ctx.strokeStyle = color;
        ctx.lineJoin = "round";
        if (!difference) {
          // The run that is shown: a thin line.
          ctx.lineWidth = 1;
          ctx.globalAlpha = 0.75;
          const values = show.sides[place].metrics;
          ctx.beginPath();
          for (let m = 0; m <= months && (metric.outlives || show.sides[place].exists(m)); m++) ctx.lineTo(x(m), y(values[m * G + at]));
          ctx.stroke();
          ctx.globalAlpha = 1;
        }
        ctx.lineWidth = Math.max(2.4, 0.17 * em);
        if (!difference) ctx.setLineDash(DASH[place]);
        stretches(line.mid, (from, to) => {
          ctx.beginPath();
          for (let m = from; m <= to; m++) ctx.lineTo(x(m), y(line.mid[m * G + at]));
          ctx.stroke();
        }, at);
        ctx.setLineDash([]);
      });
      chart.surface.box.style.setProperty("--top", top + "px");
      chart.curtain.style.left = left + "px";
      chart.curtain.style.width = right - left + 2 + "px";
      chart.curtain.style.height = bottom - top + "px";
      chart.line.style.left = left + "px";
      chart.line.style.height = bottom - top + "px";
    }
    function stretches(values, run, at) {
      const G = show.width;
      let from = -1;
      for (let m = 0; m <= show.months + 1; m++) {
        const there = m <= show.months && !Number.isNaN(values[m * G + at]);
        if (there && from < 0) from = m;
        else if (!there && from >= 0) {
          run(from, m - 1);
          from = -1;
        }
      }
    }

    view.month = function (m, still) {
      const G = show.width;
      for (const chart of charts) {
        const at = m * G + show.place[chart.name];
        const lines = difference ? [show.difference] : show.bands;
        const { metric } = chart;
        const said = lines.map((line, place) => {
          const number = CEJ.number(line.mid[at], metric, difference);
          const unit = difference && (metric.unit === "share" || metric.unit === "yes/no") ? " " + t("player.points") : "";
          chart.values[place].textContent = number + unit;
          if (!still) return "";
          const sentence = difference ? "player.difference.said" : "player.curves.said";
          return t(sentence, { letter: difference ? "" : show.sides[place].letter, mid: number, low: CEJ.number(line.low[at], metric, difference), high: CEJ.number(line.high[at], metric, difference) });
        });
        if (still) chart.text.textContent = label(chart.metric) + ", " + t("player.month", { month: m }) + ". " + said.join(" ");
      }
    };

    view.draw = function (clock) {
      for (const chart of charts) {
        const part = show.months ? clock / show.months : 0;
        chart.line.style.transform = "translateX(" + part * (chart.right - chart.left) + "px)";
        chart.curtain.style.transform = "scaleX(" + (1 - part) + ")";
      }
    };
    return view;
  };
  CEJ.charts.picked = USUAL.slice();

  function framed(player, charts, hint) {
    const { t } = player;
    const text = el("p", { class: "cej-hint", "data-print": "" });
    const node = el("div", null, charts.el, text);
    return Object.assign({}, charts, {
      el: node,
      data(show) {
        charts.data(show);
        text.textContent = t(hint, { runs: show.runs, low: show.band[0], high: show.band[1] });
      },
    });
  }
  CEJ.views.curves = (player) => framed(player, CEJ.charts(player, {}), "player.curves.hint");
  CEJ.views.difference = (player) => framed(player, CEJ.charts(player, { difference: true }), "player.difference.hint");
})(window.CEJ);
