/* The residents' staircase: seats, votes, say, ideas. The first two are set by the rules, the last two are what came of it. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const STEPS = [["seats", "seat_share"], ["votes", "vote_share"], ["say", "decision_share"], ["ideas", "agenda_origin"]];

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
      const gap = 0.012 * w, wide = Math.min((w - 3 * gap) / 4, 11 * em), left = (w - 4 * wide - 3 * gap) / 2;
      const big = CEJ.clamp(0.2 * h, 1.3 * em, 2.1 * em), floor = h - 1.5 * em, room = Math.max(10, floor - 4);
      const short = wide < 8.2 * em ? ".short" : "";
      const alive = side.exists(month);
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
          ctx.setLineDash([5, 4]);
          if (floor - y > 2) ctx.strokeRect(x + 1, y + 1, wide - 2, floor - y - 1);
          ctx.setLineDash([]);
        } else {
          ctx.fillStyle = step === 3 ? dots : CEJ.colors.kinds[0];
          ctx.fillRect(x, y, wide, floor - y);
        }
        ctx.fillStyle = "#8a6200";
        ctx.fillRect(x, y - 1, wide, 2);
        ctx.font = CEJ.font(big, 800);
        // Above the bar, or inside it where the bar is high
        const above = y - 0.32 * em, number = above - big > -2 ? above : y + 1.15 * big;
        CEJ.haloed(ctx, alive ? Math.round(100 * share) + "\u202f%" : "\u2013", x + wide / 2, number, CEJ.colors.ink, 5);
        ctx.font = CEJ.font(0.92 * em, 600);
        ctx.fillStyle = CEJ.colors.ink;
        ctx.fillText(CEJ.shortened(ctx, t("player.step." + STEPS[step][0] + short), wide), x + wide / 2, h - 0.4 * em);
      }
      ctx.fillStyle = CEJ.colors.ink;
      ctx.fillRect(left, floor, 4 * wide + 3 * gap, 1.5);
    };
    surface.canvas.title = t("player.stairs.hint");
    return stairs;
  };
})(window.CEJ);
