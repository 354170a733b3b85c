/* Participation over time: on which band of Arnstein's ladder each side stands, month by month. The line is the run that is
   shown; the darker a field, the more of the runs stand there in that month. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const LANES = ["power", "tokenism", "none", "ended"]; // from the top; bands 3, 2, 1 and 0

  CEJ.views.bands = function (player) {
    const { t } = player;
    const holder = el("div", { class: "cej-ladders" });
    const hint = el("p", { class: "cej-hint", "data-print": "" }, t("player.bands.hint"));
    const node = el("div", null, holder, hint);
    let show = null, rows = [];
    const view = { el: node };

    view.data = function (opened) {
      show = opened;
      holder.replaceChildren();
      rows = show.sides.map((side) => {
        const now = el("span", { class: "cej-bandnow", "data-print": "" });
        const box = el("section", { class: "cej-ladder" }, el("h3", null, el("span", { class: "cej-badge cej-side-" + side.letter, "data-print": "", "aria-hidden": "true" }, side.letter), now));
        holder.append(box);
        const surface = CEJ.surface(box);
        const line = el("div", { class: "cej-hair", "aria-hidden": "true" });
        surface.box.append(line);
        surface.box.classList.add("cej-plot");
        surface.canvas.addEventListener("pointerdown", (event) => scrub(row, event));
        surface.canvas.addEventListener("pointermove", (event) => event.buttons & 1 && scrub(row, event));
        const row = { side, surface, line, now, counts: show.ladder[side.place] };
        row.lanes = show.ladder.some((counts) => counts.some((value, i) => i % 4 === 0 && value > 0)) || show.sides.some((s) => s.ended) ? 4 : 3;
        return row;
      });
    };
    function scrub(row, event) {
      const box = row.surface.canvas.getBoundingClientRect();
      if (player.playing()) player.pause();
      player.goto(((event.clientX - box.left - row.left) / (row.right - row.left)) * show.months);
    }
    const bandOf = (side, m) => (side.exists(m) ? side.metrics[m * show.width + show.place.arnstein_band] : 0);

    view.resize = function () {
      for (const row of rows) {
        row.surface.resize();
        draw(row);
      }
    };

    function draw(row) {
      const { surface, side, counts, lanes } = row, { ctx, w, h } = surface, em = player.em, months = show.months;
      const narrow = w < 40 * em;
      ctx.font = CEJ.font((narrow ? 0.8 : 1.02) * em, 700);
      const widest = Math.max(...LANES.slice(0, lanes).map((name) => ctx.measureText(t("player.band." + name)).width));
      ctx.font = CEJ.font(0.78 * em);
      const rungs = Math.max(...LANES.slice(0, 3).map((name) => ctx.measureText(t("player.band." + name + ".rungs")).width));
      const left = Math.max(widest, narrow ? 0 : Math.min(rungs, 0.3 * w)) + 0.9 * em, right = w - 0.9 * em, top = 0.3 * em, bottom = h - 1.5 * em;
      Object.assign(row, { left, right });
      const high = (bottom - top) / lanes;
      const x = (m) => left + ((right - left) * m) / Math.max(1, months);
      ctx.clearRect(0, 0, w, h);
      for (let lane = 0; lane < lanes; lane++) {
        const y = top + lane * high, band = 3 - lane;
        ctx.fillStyle = lane % 2 ? "#fafbfc" : "#f4f6f8";
        ctx.fillRect(left, y, right - left, high);
        for (let m = 0; m <= months; m++) {
          const share = counts[4 * m + band] / show.runs;
          if (!share) continue;
          ctx.fillStyle = "rgba(30,70,110," + (0.07 + 0.5 * share) + ")";
          const from = Math.round(Math.max(left, x(m - 0.5))), to = Math.round(Math.min(right, x(m + 0.5)));
          ctx.fillRect(from, y + 1, to - from, high - 2);
        }
        ctx.textAlign = "left";
        ctx.textBaseline = "alphabetic";
        ctx.fillStyle = CEJ.colors.ink;
        ctx.font = CEJ.font((narrow ? 0.8 : 1.02) * em, 700);
        const two = !narrow && high > 2.6 * em && LANES[lane] !== "ended";
        ctx.fillText(CEJ.shortened(ctx, t("player.band." + LANES[lane]), left - 0.7 * em), 0, y + high / 2 + (two ? -0.05 : 0.35) * em);
        if (two) {
          ctx.font = CEJ.font(0.78 * em);
          ctx.fillStyle = CEJ.colors.soft;
          ctx.fillText(CEJ.shortened(ctx, t("player.band." + LANES[lane] + ".rungs"), left - 0.7 * em), 0, y + high / 2 + 1.05 * em);
        }
        ctx.strokeStyle = CEJ.colors.faint;
        ctx.lineWidth = 1;
        ctx.strokeRect(left, y, right - left, high);
      }
      ctx.strokeStyle = "#fff";
      ctx.lineJoin = "round";
      for (const [width, color] of [[Math.max(6, 0.42 * em), "#fff"], [Math.max(3.2, 0.22 * em), CEJ.colors.sides[side.place]]]) {
        ctx.strokeStyle = color;
        ctx.lineWidth = width;
        ctx.beginPath();
        for (let m = 0; m <= months; m++) {
          const y = top + (3 - bandOf(side, m) + 0.5) * high;
          ctx.lineTo(Math.max(left, x(m - 0.5)), y);
          ctx.lineTo(Math.min(right, x(m + 0.5)), y);
        }
        ctx.stroke();
      }
      ctx.fillStyle = CEJ.colors.soft;
      ctx.font = CEJ.font(0.78 * em);
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      const every = [1, 2, 3, 6, 12, 24, 60, 120].find((step) => (months / step) * 3 * em < right - left) || 120;
      for (let m = 0; m <= months; m += every) ctx.fillText(String(m), x(m), bottom + 0.3 * em);
      row.surface.box.style.setProperty("--top", top + "px");
      row.line.style.left = left + "px";
      row.line.style.height = bottom - top + "px";
    }

    view.month = function (m) {
      for (const row of rows) {
        const band = bandOf(row.side, m);
        row.now.textContent = t("player.bands.now", { band: t("player.band." + LANES[3 - band]), n: row.counts[4 * m + band], runs: show.runs });
      }
    };
    view.draw = function (clock) {
      for (const row of rows) row.line.style.transform = "translateX(" + (show.months ? clock / show.months : 0) * (row.right - row.left) + "px)";
    };
    return view;
  };
})(window.CEJ);
