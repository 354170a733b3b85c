/* The residents' staircase: seats, votes, say, ideas. The first two are set by the rules, the last two are what came of it. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const STEPS = [["seats", "seat_share"], ["votes", "vote_share"], ["say", "decision_share"], ["ideas", "agenda_origin"]];

  const DASHES = [4, 4], SOLID = [];

  CEJ.staircase = function (player, parent, side) {
    const { t } = player;
    const surface = CEJ.surface(parent);
    surface.box.classList.add("cej-stairs");
    let dots = null;
    const stairs = {};
    stairs.resize = function () {
      surface.resize();
      dots = CEJ.dots(surface.ctx, surface.ratio);
    };
    stairs.draw = function (clock, month) {
      const { ctx, w, h } = surface, em = player.em, { show } = player;
      // Where steps are small, the arrow stands beside the last one, so that it never crosses a number.
      const aside = w < 30 * em ? 1.1 * em : 0;
      const gap = (aside ? 0.02 : 0.012) * w, wide = Math.min((w - aside - (aside ? 4 : 3) * gap) / 4, 11 * em), left = Math.max((w - aside - 4 * wide - 3 * gap) / 2, aside ? gap / 2 : 0);
      const big = Math.min(CEJ.clamp(0.2 * h, 1.3 * em, 2.1 * em), wide / 2.6), floor = h - 1.5 * em, room = Math.max(10, floor - 4);
      const short = wide < 8.2 * em ? ".short" : "";
      const alive = side.exists(month);
      // One size for all four words, so that the longest of them is not cut.
      ctx.font = CEJ.font(0.92 * em, 600);
      const longest = Math.max(...STEPS.map(([name]) => ctx.measureText(t("player.step." + name + short)).width));
      const label = 0.92 * em * CEJ.clamp((wide + gap - 2) / longest, 0.6, 1);
      ctx.clearRect(0, 0, w, h);
      ctx.textAlign = "center";
      ctx.textBaseline = "alphabetic";
      for (let step = 0; step < 4; step++) {
        const share = alive ? CEJ.clamp(show.value(side.place, STEPS[step][1], clock), 0, 1) : 0;
        const x = left + step * (wide + gap), y = floor - share * room;
        ctx.fillStyle = "#f0f2f5";
        ctx.fillRect(x, floor - room, wide, room);
        if (step < 2) {
          ctx.fillStyle = "#fbe3b4";
          ctx.fillRect(x, y, wide, floor - y);
          ctx.lineWidth = 2;
          ctx.strokeStyle = "#b87d00";
          ctx.setLineDash(DASHES);
          if (floor - y > 2) ctx.strokeRect(x + 1, y + 1, wide - 2, floor - y - 1);
          ctx.setLineDash(SOLID);
        } else {
          ctx.fillStyle = step === 3 ? dots : CEJ.colors.kinds[0];
          ctx.fillRect(x, y, wide, floor - y);
        }
        ctx.fillStyle = "#8a6200";
        ctx.fillRect(x, y - 1, wide, 2);
        ctx.fillStyle = CEJ.colors.ink;
        ctx.font = CEJ.font(label, 600);
        ctx.fillText(CEJ.shortened(ctx, t("player.step." + STEPS[step][0] + short), wide + gap + 1), x + wide / 2, h - 0.4 * em);
      }
      const begun = clock > 0.01; // before the first meeting nobody has said anything yet
      gapLine(ctx, left, wide, gap, floor, room, alive && begun ? clock : -1, em, aside);
      ctx.font = CEJ.font(big, 800);
      for (let step = 0; step < 4; step++) {
        const share = alive ? CEJ.clamp(show.value(side.place, STEPS[step][1], clock), 0, 1) : 0;
        // Above the bar, or inside it where the bar is high
        const y = floor - share * room, above = y - 0.32 * em, number = above - big > -2 ? above : y + 1.15 * big;
        CEJ.haloed(ctx, alive && (begun || step < 2) ? Math.round(100 * share) + "\u202f%" : "\u2013", left + step * (wide + gap) + wide / 2, number, CEJ.colors.ink, 5);
      }
      ctx.fillStyle = CEJ.colors.ink;
      ctx.fillRect(left, floor, 4 * wide + 3 * gap, 1.5);
    };
    /** How far ideas lie below seats (or above): the level of seats carried across, and an arrow to the ideas. */
    function gapLine(ctx, left, wide, gap, floor, room, clock, em, aside) {
      if (clock < 0) return;
      const seats = CEJ.clamp(player.show.value(side.place, "seat_share", clock), 0, 1);
      const ideas = CEJ.clamp(player.show.value(side.place, "agenda_origin", clock), 0, 1);
      const from = floor - seats * room, to = floor - ideas * room, right = left + 4 * wide + 3 * gap + aside;
      if (Math.abs(from - to) < 0.9 * em) return;
      ctx.strokeStyle = ctx.fillStyle = CEJ.colors.soft;
      ctx.lineWidth = 1.5;
      ctx.setLineDash(DASHES);
      ctx.beginPath();
      ctx.moveTo(left + wide, from);
      ctx.lineTo(right, from);
      ctx.stroke();
      ctx.setLineDash(SOLID);
      const x = right - (aside ? 0.4 : 0.75) * em, tip = 0.42 * em, down = to > from ? 1 : -1;
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.moveTo(x, from);
      ctx.lineTo(x, to - down * tip);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x, to - 1.5 * down);
      ctx.lineTo(x - 0.8 * tip, to - down * (tip + 1.5));
      ctx.lineTo(x + 0.8 * tip, to - down * (tip + 1.5));
      ctx.fill();
    }
    surface.canvas.title = t("player.stairs.hint");
    return stairs;
  };
})(window.CEJ);
