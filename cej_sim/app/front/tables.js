/* Two round tables seen from above. A chair's area is its holder's say this month, so all chairs together always cover
   the same area; those who did not come are hollow; the middle shows whose ideas began the agenda. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const TAU = 2 * Math.PI;
  const SOLID = [];
  const ORDER = [2, 1, 3, 0]; // clockwise from the top: backbone, institutions, organizers, residents
  const GAP = 0.022, SMALLEST = 0.02, HOLLOW = 0.03, LARGEST = 0.37; // of the table's radius

  /** How far from the middle a chair of some size stands: tucked in, the larger the more. */
  const away = (r) => 1.03 + 0.45 * r;
  /** The part of the circle that a chair takes. */
  const width = (r) => 2 * Math.asin(Math.min(1, (r + GAP / 2) / away(r)));
  function radius(say, present, k) {
    return present ? Math.max(SMALLEST, k * Math.sqrt(say / 65535)) : HOLLOW;
  }

  /** Who has a chair in a month: members, organizers who came, and after the agents the empty chairs of a kind. */
  function seated(side, month, out) {
    out.length = 0;
    if (!side.exists(month)) return out;
    const n = side.count, base = month * n, flags = side.month.flags, kind = side.agents.kind;
    for (const which of ORDER) {
      let taken = 0;
      for (let i = 0; i < n; i++)
        if (kind[i] === which && (flags[base + i] & CEJ.MEMBER || (which === 3 && flags[base + i] & CEJ.PRESENT))) {
          out.push(i);
          taken += 1;
        }
      if (which < 2) for (let free = 0; free < side.seats[2 * month + which] - taken; free++) out.push(n + which * side.spare + free);
    }
    return out;
  }

  /** The size of the chair of agent i (beyond the agents: an empty one) in a month. */
  function radius(side, month, i, k) {
    const at = month * side.count + i;
    if (i >= side.count || !(side.month.flags[at] & CEJ.PRESENT)) return HOLLOW;
    return Math.max(SMALLEST, k * Math.sqrt(side.month.say[at] / 65535));
  }

  /** The largest factor with which the chairs of all months and sides find room around a table. */
  function factor(show) {
    const list = [];
    let low = 0, high = 4;
    for (const side of show.sides) {
      let most = 0;
      for (let i = 0; i < side.month.say.length; i++) if (side.month.say[i] > most) most = side.month.say[i];
      if (most) high = Math.min(high, LARGEST / Math.sqrt(most / 65535));
    }
    // For each month: how many chairs have the small fixed size, then the square roots of the others' say.
    const months = [];
    for (const side of show.sides)
      for (let m = 0; m <= show.months; m++) {
        const base = m * side.count, sizes = [0];
        for (const i of seated(side, m, list))
          if (i < side.count && side.month.flags[base + i] & CEJ.PRESENT) sizes.push(Math.sqrt(side.month.say[base + i] / 65535));
          else sizes[0] += 1;
        months.push(sizes);
      }
    const fits = (k) =>
      months.every((sizes) => {
        let sum = sizes[0] * width(HOLLOW);
        for (let n = 1; n < sizes.length; n++) sum += width(Math.max(SMALLEST, k * sizes[n]));
        return sum <= TAU;
      });
    if (fits(high)) return high;
    for (let n = 0; n < 12; n++) {
      const middle = (low + high) / 2;
      if (fits(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Chairs of a side in every month: angle and size, in units of the table's radius; 0 where there is none. */
  function arrange(show, side, k) {
    const stride = side.count + 2 * side.spare, size = (show.months + 1) * stride;
    const angle = new Float32Array(size), radii = new Float32Array(size), kind = new Uint8Array(stride);
    kind.set(side.agents.kind);
    kind.fill(1, side.count + side.spare);
    const list = [], box = { left: -1, right: 1, top: -1, bottom: 1 };
    for (let m = 0; m <= show.months; m++) {
      const base = m * stride;
      seated(side, m, list);
      let sum = 0;
      for (const i of list) {
        radii[base + i] = radius(side, m, i, k);
        sum += width(radii[base + i]);
      }
      const spare = Math.max(0, TAU - sum) / Math.max(1, list.length);
      let at = -TAU / 4;
      list.forEach((i, place) => {
        const wide = width(radii[base + i]) + spare;
        if (place === 0) at -= wide / 2; // the first chair stands at the top
        const middle = at + wide / 2;
        angle[base + i] = middle;
        at += wide;
        const far = away(radii[base + i]), r = 1.3 * radii[base + i];
        box.left = Math.min(box.left, far * Math.cos(middle) - r);
        box.right = Math.max(box.right, far * Math.cos(middle) + r);
        box.top = Math.min(box.top, far * Math.sin(middle) - r);
        box.bottom = Math.max(box.bottom, far * Math.sin(middle) + r);
      });
    }
    return { angle, radii, kind, stride, box };
  }

  /** The most empty chairs that a kind has in a month. */
  function spare(show, side) {
    let most = 0;
    for (let m = 0; m <= show.months; m++)
      for (const which of [0, 1]) {
        let taken = 0;
        for (let i = 0; i < side.count; i++)
          if (side.agents.kind[i] === which && side.month.flags[m * side.count + i] & CEJ.MEMBER) taken += 1;
        most = Math.max(most, side.seats[2 * m + which] - taken);
      }
    return most;
  }

  /** The chairs of every side, on one scale: {angle, radii, kind, stride, box}; agents first, then empty chairs. */
  CEJ.chairs = function (show) {
    for (const side of show.sides) side.spare = spare(show, side);
    const k = factor(show);
    return show.sides.map((side) => arrange(show, side, k));
  };
  CEJ.chairs.away = away;

  CEJ.views.tables = function (player) {
    const { t } = player;
    const node = el("div");
    let show = null, halves = [], box = null;

    const view = { el: node };
    view.data = function (opened) {
      show = opened;
      const all = CEJ.chairs(show);
      node.replaceChildren();
      const pair = el("div", { class: "cej-pair" });
      node.append(pair, key());
      box = { left: -1, right: 1, top: -1, bottom: 1 };
      halves = show.sides.map((side) => {
        const half = el("div", { class: "cej-half" }, player.heading(side.place));
        pair.append(half);
        const surface = CEJ.surface(half);
        surface.box.classList.add("cej-tablebox");
        const chairs = all[side.place];
        for (const edge of ["left", "top"]) box[edge] = Math.min(box[edge], chairs.box[edge]);
        for (const edge of ["right", "bottom"]) box[edge] = Math.max(box[edge], chairs.box[edge]);
        const half_ = { side, surface, chairs, stairs: CEJ.staircase(player, half, side), text: el("p", { class: "cej-unseen" }) };
        half.append(half_.text);
        player.hoverable(surface, side.place, (x, y) => hit(half_, x, y));
        return half_;
      });
    };

    function key() {
      const item = (kind) => el("li", null, player.swatch(kind), t("player.kinds." + CEJ.KINDS[kind]));
      return el("ul", { class: "cej-key cej-tablekey", "data-print": "" }, [0, 1, 2, 3].map(item),
        el("li", null, hollow([]), t("player.tables.absent")), el("li", null, hollow([7, 6]), t("player.tables.empty")), el("li", null, t("player.tables.size")),
        show.sides.some((side) => side.tables > 1) ? el("li", null, t("player.tables.several", { n: Math.max(...show.sides.map((side) => side.tables)) })) : null);
    }
    function hollow(dash) {
      const canvas = CEJ.offscreen(40, 40, 1);
      canvas.canvas.className = "cej-swatch";
      canvas.ctx.lineWidth = 4;
      canvas.ctx.strokeStyle = CEJ.colors.ink;
      canvas.ctx.setLineDash(dash);
      canvas.ctx.arc(20, 20, 13, 0, TAU);
      canvas.ctx.stroke();
      return canvas.canvas;
    }

    /** The staircase stands where it leaves more room for the table: below it, or beside it where a half is wide. */
    function sideways() {
      const narrow = player.root.classList.contains("cej-narrow"), half = halves[0] && halves[0].surface.box.parentNode;
      if (narrow || !half) return false;
      const w = half.clientWidth, h = half.clientHeight, em = player.em;
      const aside = CEJ.clamp(w - h, Math.max(12.5 * em, 0.34 * w), Math.max(12.5 * em, 0.42 * w));
      const below = Math.min(w, h - Math.min(8.4 * em, 0.34 * h)), beside = Math.min(w - aside, h);
      node.style.setProperty("--aside", aside + "px");
      return beside > 1.08 * below;
    }
    view.resize = function () {
      node.classList.toggle("cej-sideways", sideways());
      for (const half of halves) {
        const { surface } = half;
        surface.resize();
        const margin = 6;
        const wide = box.right - box.left, high = box.bottom - box.top;
        half.scale = Math.max(4, Math.min((surface.w - 2 * margin) / wide, (surface.h - 2 * margin) / high));
        half.x = surface.w / 2 - (half.scale * (box.left + box.right)) / 2;
        half.y = surface.h / 2 - (half.scale * (box.top + box.bottom)) / 2;
        half.dash = [0.024 * half.scale, 0.02 * half.scale];
        half.hatch = CEJ.hatch(surface.ctx, surface.ratio);
        half.dots = CEJ.dots(surface.ctx, surface.ratio);
        half.stairs.resize();
      }
    };

    function hit(half, x, y) {
      const { side, chairs, scale } = half, base = player.month() * chairs.stride;
      let best = -1, least = 14;
      for (let i = 0; i < side.count; i++) {
        const r = chairs.radii[base + i];
        if (!r) continue;
        const far = away(r);
        const dx = half.x + scale * far * Math.cos(chairs.angle[base + i]) - x;
        const dy = half.y + scale * far * Math.sin(chairs.angle[base + i]) - y;
        const distance = Math.max(0, Math.sqrt(dx * dx + dy * dy) - scale * r);
        if (distance < least) {
          least = distance;
          best = i;
        }
      }
      return best;
    }

    view.month = function (m, still) {
      if (!still) return;
      for (const half of halves) half.text.textContent = describe(half.side, m);
    };
    function describe(side, m) {
      const count = { came: 0, absent: 0 };
      for (let i = 0; i < side.count; i++) {
        const flags = side.month.flags[m * side.count + i];
        if (side.agents.kind[i] === 0 && flags & CEJ.MEMBER) count[flags & CEJ.PRESENT ? "came" : "absent"] += 1;
      }
      return t("player.tables.said", {
        title: player.title(side.place), came: count.came, absent: count.absent,
        say: CEJ.percent(show.value(side.place, "decision_share", m)), ideas: CEJ.percent(show.value(side.place, "agenda_origin", m)),
      });
    }

    view.draw = function (clock, m) {
      for (const half of halves) {
        table(half, clock, m);
        half.stairs.draw(clock, m);
      }
    };

    function table(half, clock, m) {
      const { surface, side, chairs, scale } = half, { ctx } = surface;
      const cx = half.x, cy = half.y, n = side.count;
      const part = m < show.months ? clock - m : 0;
      const now = m * n, next = part > 0 ? now + n : now;
      const alive = side.exists(m);
      ctx.clearRect(0, 0, surface.w, surface.h);

      // The table
      ctx.beginPath();
      ctx.arc(cx, cy, scale, 0, TAU);
      ctx.fillStyle = alive ? "#f1ece2" : "#f4f5f7";
      ctx.fill();
      ctx.lineWidth = Math.max(1.5, 0.012 * scale);
      ctx.strokeStyle = alive ? "#b9ab8f" : CEJ.colors.faint;
      ctx.setLineDash(alive ? [] : [6, 6]);
      ctx.stroke();
      ctx.setLineDash([]);

      agenda(half, clock, m, alive);
      if (!alive) return;

      // Chairs, kind by kind: of those who came, of those who did not, empty ones
      const flags = side.month.flags, { kind, stride, radii, angle } = chairs;
      const here = m * stride, there = next > now ? here + stride : here;
      for (let which = 0; which < 4; which++) {
        ctx.fillStyle = ctx.strokeStyle = CEJ.colors.kinds[which];
        ctx.lineWidth = Math.max(1.3, 0.013 * scale);
        for (let state = 0; state < 3; state++) {
          ctx.beginPath();
          for (let i = 0; i < stride; i++) {
            if (kind[i] !== which) continue;
            let r = radii[here + i];
            if (!r) continue;
            const as = i >= n ? 2 : flags[now + i] & CEJ.PRESENT ? 0 : 1;
            if (as !== state) continue;
            let turn = angle[here + i];
            if (part > 0 && radii[there + i]) {
              r += part * (radii[there + i] - r);
              turn += part * (angle[there + i] - turn);
            }
            const far = away(r);
            CEJ.outline(ctx, which, cx + scale * far * Math.cos(turn), cy + scale * far * Math.sin(turn), scale * r);
          }
          if (state === 0) ctx.fill();
          else {
            ctx.fillStyle = "#fff";
            ctx.fill();
            ctx.fillStyle = CEJ.colors.kinds[which];
            if (state === 2) ctx.setLineDash(half.dash);
            ctx.stroke();
            ctx.setLineDash(SOLID);
          }
        }
      }
      marks(half, now, here, there, part);
    }

    /** Leaders have a white heart; the agent that was picked a ring. */
    function marks(half, now, here, there, part) {
      const { surface, side, chairs, scale } = half, { ctx } = surface, flags = side.month.flags;
      ctx.fillStyle = "#fff";
      ctx.beginPath();
      for (let i = 0; i < side.count; i++) {
        const chosen = player.chosen.side === side.place && player.chosen.place === i;
        if (!chosen && !(flags[now + i] & CEJ.LEADER)) continue;
        let r = chairs.radii[here + i];
        if (!r) continue;
        let angle = chairs.angle[here + i];
        if (part > 0 && chairs.radii[there + i]) {
          r += part * (chairs.radii[there + i] - r);
          angle += part * (chairs.angle[there + i] - angle);
        }
        const far = away(r);
        const x = half.x + scale * far * Math.cos(angle), y = half.y + scale * far * Math.sin(angle);
        if (flags[now + i] & CEJ.LEADER && flags[now + i] & CEJ.PRESENT) {
          ctx.moveTo(x + 0.36 * scale * r, y);
          ctx.arc(x, y, 0.36 * scale * r, 0, TAU);
        }
        if (chosen) {
          ctx.save();
          ctx.beginPath();
          ctx.arc(x, y, scale * r + 5, 0, TAU);
          ctx.lineWidth = 3;
          ctx.strokeStyle = CEJ.colors.ink;
          ctx.stroke();
          ctx.restore();
          ctx.beginPath();
        }
      }
      ctx.fill();
    }

    /** The middle: dotted what began as residents' ideas, slanted lines what began as others', white what nobody has touched. */
    function agenda(half, clock, m, alive) {
      const { surface, side, scale } = half, { ctx } = surface, cx = half.x, cy = half.y;
      const outer = 0.79 * scale, inner = 0.47 * scale;
      const ideas = show.value(side.place, "agenda_origin", clock);
      const untouched = side.agenda.untouched;
      const part = m < show.months ? clock - m : 0;
      const blank = untouched[m] + part * ((m < show.months ? untouched[m + 1] : untouched[m]) - untouched[m]);
      const others = Math.max(0, 1 - ideas - blank);
      let from = -TAU / 4;
      ctx.globalAlpha = alive ? 1 : 0.35;
      ctx.beginPath();
      ctx.arc(cx, cy, outer, 0, TAU);
      ctx.arc(cx, cy, inner, TAU, 0, true);
      ctx.fillStyle = "#fff";
      ctx.fill();
      const slice = (share, fill) => {
        if (share < 1e-4) return;
        const to = from + share * TAU;
        ctx.beginPath();
        ctx.arc(cx, cy, outer, from, to);
        ctx.arc(cx, cy, inner, to, from, true);
        ctx.closePath();
        ctx.save();
        ctx.translate(cx, cy);
        ctx.fillStyle = fill;
        ctx.fill();
        ctx.restore();
        from = to;
      };
      slice(others, half.hatch);
      from = -TAU / 4 - ideas * TAU;
      slice(ideas, half.dots);
      ctx.lineWidth = Math.max(1, 0.012 * scale);
      ctx.strokeStyle = CEJ.colors.ink;
      for (const r of [outer, inner]) {
        ctx.beginPath();
        ctx.arc(cx, cy, r, 0, TAU);
        ctx.stroke();
      }
      ctx.beginPath();
      for (const turn of [-ideas, 0, others]) {
        if ((turn === -ideas && ideas < 1e-3) || (turn === others && others < 1e-3)) continue;
        const angle = -TAU / 4 + turn * TAU;
        ctx.moveTo(cx + inner * Math.cos(angle), cy + inner * Math.sin(angle));
        ctx.lineTo(cx + outer * Math.cos(angle), cy + outer * Math.sin(angle));
      }
      ctx.stroke();
      ctx.fillStyle = "#fff";
      ctx.beginPath();
      ctx.arc(cx, cy, inner - 1, 0, TAU);
      ctx.fill();
      ctx.fillStyle = CEJ.colors.ink;
      ctx.textAlign = "center";
      ctx.textBaseline = "alphabetic";
      if (alive) {
        // Two lines of words below the number, as large as the ring leaves them room; none where that would be unreadable.
        const lines = [t("player.tables.residents"), t("player.tables.ideas")];
        const small = Math.min(0.125 * scale, ...lines.map((line, n) => fitting(ctx, line, 2 * (inner - 3) * [0.92, 0.8][n], 600)));
        const readable = small >= 8;
        ctx.font = CEJ.font(0.31 * scale, 800);
        ctx.fillText(clock > 0.01 ? Math.round(100 * ideas) + "\u202f%" : "\u2013", cx, cy + (readable ? 0 : 0.11) * scale);
        if (readable) {
          ctx.font = CEJ.font(small, 600);
          ctx.fillStyle = CEJ.colors.soft;
          lines.forEach((line, n) => ctx.fillText(line, cx, cy + (1.2 + 1.1 * n) * small));
        }
      } else {
        ctx.globalAlpha = 1;
        ctx.font = CEJ.font(0.17 * scale, 800);
        ctx.fillText(t("player.ended.title"), cx, cy);
        ctx.font = CEJ.font(Math.max(10, 0.1 * scale), 500);
        if (side.ended) ctx.fillText(t("player.month", { month: side.ended.month }), cx, cy + 0.16 * scale);
      }
      ctx.globalAlpha = 1;
    }

    /** The size at which a text is as wide as there is room. */
    function fitting(ctx, text, room, weight) {
      ctx.font = CEJ.font(100, weight);
      return (100 * room) / Math.max(1, ctx.measureText(text).width);
    }

    return view;
  };
})(window.CEJ);
