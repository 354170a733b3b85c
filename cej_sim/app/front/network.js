/* The network: residents by neighborhood around, organizations in the middle, the host at the center. Places follow from
   who lives where and who is tied to whom, so both sides, and every replay, show the same picture. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;
  const TAU = 2 * Math.PI;
  const GOLDEN = Math.PI * (3 - Math.sqrt(5));

  /** Places in a disc of radius 1: x, y of each agent, and the middle and radius of each neighborhood. */
  CEJ.layout = function (side) {
    const n = side.count, { kind, neighborhood } = side.agents;
    const x = new Float32Array(n), y = new Float32Array(n);
    const hoods = [...new Set(Array.from(neighborhood).filter((h, i) => h >= 0 && kind[i] === 0))].sort((a, b) => a - b);
    const members = hoods.map((h) => Array.from({ length: n }, (_, i) => i).filter((i) => kind[i] === 0 && neighborhood[i] === h));
    const total = members.reduce((sum, list) => sum + Math.sqrt(list.length), 0) || 1;
    const circles = [];
    const angleOf = new Float32Array(n);
    let at = -TAU / 4;
    hoods.forEach((h, place) => {
      const share = (TAU * Math.sqrt(members[place].length)) / total;
      const middle = at + share / 2;
      at += share;
      const far = hoods.length > 1 ? 0.76 : 0;
      const r = hoods.length > 1 ? Math.min(0.225, 0.92 * far * Math.sin(Math.min(TAU / 4, share / 2))) : 0.95;
      const cx = far * Math.cos(middle), cy = far * Math.sin(middle);
      circles.push({ x: cx, y: cy, r, hood: h, angle: middle });
      members[place].forEach((i, rank) => {
        const d = 0.9 * r * Math.sqrt((rank + 0.5) / members[place].length);
        x[i] = cx + d * Math.cos(rank * GOLDEN);
        y[i] = cy + d * Math.sin(rank * GOLDEN);
        angleOf[i] = middle;
      });
    });
    // Organizations face the neighborhoods that they are most tied to, evenly spaced in that order.
    const { a, b, weight } = side.ties, ties = a.length;
    for (const which of [1, 3]) {
      const pull = new Map();
      for (let i = 0; i < n; i++) if (kind[i] === which) pull.set(i, [0, 0]);
      for (let e = 0; e < ties; e++) {
        if (weight[e] < 26) continue; // weaker than a tenth at the start: sent only where it grew, which may be on one side
        for (const [one, other] of [[a[e], b[e]], [b[e], a[e]]]) {
          const sum = pull.get(one);
          if (sum && kind[other] === 0) {
            sum[0] += weight[e] * Math.cos(angleOf[other]);
            sum[1] += weight[e] * Math.sin(angleOf[other]);
          }
        }
      }
      const order = [...pull.keys()].sort((i, j) => Math.atan2(pull.get(i)[1], pull.get(i)[0]) - Math.atan2(pull.get(j)[1], pull.get(j)[0]) || i - j);
      const ring = which === 1 ? 0.34 : 0.17;
      order.forEach((i, rank) => {
        const angle = -TAU / 2 + (TAU * (rank + 0.5)) / order.length;
        x[i] = ring * Math.cos(angle);
        y[i] = ring * Math.sin(angle);
      });
    }
    return { x, y, circles };
  };

  CEJ.views.network = function (player) {
    const { t } = player;
    const node = el("div");
    let show = null, halves = [];
    const view = { el: node };

    view.data = function (opened) {
      show = opened;
      const pair = el("div", { class: "cej-pair" });
      node.replaceChildren(pair, key());
      halves = show.sides.map((side) => {
        const half = { side, layout: CEJ.layout(side), pictures: [], radius: new Float32Array(side.count) };
        const box = el("div", { class: "cej-half" }, player.heading(side.place));
        pair.append(box);
        half.surface = CEJ.surface(box, true);
        half.seen = -1;
        half.surface.box.classList.add("cej-tall");
        half.text = el("p", { class: "cej-unseen" }, t("player.network.said", { title: player.title(side.place), agents: side.count, ties: side.ties.a.length }));
        box.append(half.text);
        player.hoverable(half.surface, side.place, (x, y) => hit(half, x, y));
        return half;
      });
    };

    function key() {
      return el("ul", { class: "cej-key cej-tablekey", "data-print": "" },
        [0, 1, 2, 3].map((kind) => el("li", null, player.swatch(kind), t("player.kinds." + CEJ.KINDS[kind]))),
        el("li", null, t("player.network.key")));
    }

    view.resize = function () {
      for (const half of halves) {
        const { surface } = half;
        const changed = surface.resize();
        const size = Math.min(surface.w, surface.h) / 2 - 8;
        half.sx = Math.max(10, Math.min(surface.w / 2 - 8, size * 1.45));
        half.sy = Math.max(10, size - 1.3 * player.em);
        half.dot = Math.max(2.2, Math.min(half.sx, half.sy) * 0.0155);
        if (changed) half.pictures = [];
        half.seen = -1;
      }
    };

    /** Ties and neighborhoods of one of the pictures sent, drawn once. */
    function picture(half, at) {
      const { surface, side, layout } = half;
      const out = CEJ.offscreen(surface.w, surface.h, surface.ratio), { ctx } = out;
      const cx = surface.w / 2, cy = surface.h / 2;
      ctx.font = CEJ.font(0.8 * player.em, 600);
      ctx.textAlign = "center";
      for (const circle of layout.circles) {
        ctx.beginPath();
        ctx.ellipse(cx + half.sx * circle.x, cy + half.sy * circle.y, half.sx * circle.r, half.sy * circle.r, 0, 0, TAU);
        ctx.fillStyle = "#f4f1ea";
        ctx.fill();
        ctx.strokeStyle = "#ddd4c2";
        ctx.lineWidth = 1;
        ctx.stroke();
      }
      const { a, b, weight } = side.ties, ties = a.length, base = at * ties;
      const { x, y } = layout;
      // By strength in eight steps: wider and darker.
      for (let step = 0; step < 8; step++) {
        ctx.beginPath();
        for (let e = 0; e < ties; e++) {
          const w = weight[base + e];
          if (w < 13 || Math.min(7, w >> 5) !== step) continue;
          ctx.moveTo(cx + half.sx * x[a[e]], cy + half.sy * y[a[e]]);
          ctx.lineTo(cx + half.sx * x[b[e]], cy + half.sy * y[b[e]]);
        }
        ctx.strokeStyle = "rgba(70,80,98," + (0.07 + 0.07 * step) + ")";
        ctx.lineWidth = 0.5 + 0.34 * step;
        ctx.stroke();
      }
      for (const circle of layout.circles) {
        const above = circle.y < -0.3 && circle.r < 0.5;
        const edge = cy + half.sy * (circle.y + (above ? -circle.r : circle.r));
        const name = t("player.neighborhood", { n: circle.hood + 1 }), room = ctx.measureText(name).width / 2 + 4;
        CEJ.haloed(ctx, name, CEJ.clamp(cx + half.sx * circle.x, room, surface.w - room), edge + (above ? -0.4 : 1) * player.em, CEJ.colors.soft);
      }
      return out.canvas;
    }

    function pictureOf(month, half) {
      const { months } = half.side.ties;
      let at = 0;
      while (at + 1 < months.length && months[at + 1] <= month) at += 1;
      if (!half.pictures[at]) half.pictures[at] = picture(half, at);
      return half.pictures[at];
    }

    function hit(half, px, py) {
      const cx = half.surface.w / 2, cy = half.surface.h / 2;
      let best = -1, least = 10;
      for (let i = 0; i < half.side.count; i++) {
        const dx = cx + half.sx * half.layout.x[i] - px, dy = cy + half.sy * half.layout.y[i] - py;
        const distance = Math.max(0, Math.sqrt(dx * dx + dy * dy) - half.radius[i]);
        if (distance < least) {
          least = distance;
          best = i;
        }
      }
      return best;
    }

    view.draw = function (clock, m) {
      for (const half of halves) {
        const { surface, side, radius } = half, { ctx } = surface, { say } = side.month;
        const n = side.count, now = m * n, next = m < show.months ? now + n : now, part = clock - m;
        const grow = 0.2 * Math.min(half.sx, half.sy);
        for (let i = 0; i < n; i++) {
          const share = (say[now + i] + part * (say[next + i] - say[now + i])) / 65535;
          radius[i] = half.dot + grow * Math.sqrt(Math.max(0, share));
        }
        if (half.seen !== m) {
          half.seen = m;
          surface.under.clearRect(0, 0, surface.w, surface.h);
          surface.under.drawImage(pictureOf(m, half), 0, 0, surface.w, surface.h);
          agents(half, surface.under, now, next, true);
        }
        ctx.clearRect(0, 0, surface.w, surface.h);
        agents(half, ctx, now, next, false);
        if (player.chosen.side === side.place && player.chosen.place >= 0) chosen(half, player.chosen.place, m);
        if (!side.exists(m)) ended(half);
      }
    };

    /** Agents: either those whose say, and so whose size, stays the same until next month, or the others. */
    function agents(half, ctx, now, next, still) {
      const { surface, side, layout, radius } = half, n = side.count;
      const cx = surface.w / 2, cy = surface.h / 2, { x, y } = layout, { kind } = side.agents, { say, flags } = side.month;
      const drawn = (i) => (say[now + i] === say[next + i]) === still;
      ctx.lineWidth = Math.max(1.2, 0.35 * half.dot);
      for (let which = 0; which < 4; which++) {
        for (let hollow = 1; hollow >= 0; hollow--) {
          // Filled: has a seat. Hollow: has none.
          ctx.beginPath();
          for (let i = 0; i < n; i++)
            if (kind[i] === which && drawn(i) && (flags[now + i] & CEJ.MEMBER) === (hollow ? 0 : CEJ.MEMBER))
              CEJ.outline(ctx, which, cx + half.sx * x[i], cy + half.sy * y[i], radius[i]);
          ctx.fillStyle = hollow ? "#fff" : CEJ.colors.kinds[which];
          ctx.fill();
          ctx.strokeStyle = CEJ.colors.kinds[which];
          if (hollow) ctx.stroke();
        }
      }
      // Those who act together have a ring; leaders a white heart.
      ctx.strokeStyle = CEJ.colors.ink;
      ctx.lineWidth = 1.6;
      ctx.beginPath();
      for (let i = 0; i < n; i++)
        if (flags[now + i] & CEJ.MOBILIZED && drawn(i)) {
          ctx.moveTo(cx + half.sx * x[i] + radius[i] + 2.4, cy + half.sy * y[i]);
          ctx.arc(cx + half.sx * x[i], cy + half.sy * y[i], radius[i] + 2.4, 0, TAU);
        }
      ctx.stroke();
      ctx.fillStyle = "#fff";
      ctx.lineWidth = 1;
      ctx.beginPath();
      for (let i = 0; i < n; i++)
        if (flags[now + i] & CEJ.LEADER && drawn(i)) {
          ctx.moveTo(cx + half.sx * x[i] + 0.42 * radius[i], cy + half.sy * y[i]);
          ctx.arc(cx + half.sx * x[i], cy + half.sy * y[i], 0.42 * radius[i], 0, TAU);
        }
      ctx.fill();
      ctx.stroke();
    }

    function chosen(half, i, m) {
      const { surface, side, layout, radius } = half, { ctx } = surface, { x, y } = layout;
      const cx = surface.w / 2, cy = surface.h / 2, { a, b, weight, months } = side.ties;
      let at = 0;
      while (at + 1 < months.length && months[at + 1] <= m) at += 1;
      ctx.strokeStyle = CEJ.colors.accent;
      for (let e = 0; e < a.length; e++) {
        if ((a[e] !== i && b[e] !== i) || weight[at * a.length + e] < 13) continue;
        ctx.lineWidth = 1 + (3 * weight[at * a.length + e]) / 255;
        ctx.beginPath();
        ctx.moveTo(cx + half.sx * x[a[e]], cy + half.sy * y[a[e]]);
        ctx.lineTo(cx + half.sx * x[b[e]], cy + half.sy * y[b[e]]);
        ctx.stroke();
      }
      ctx.lineWidth = 3;
      ctx.strokeStyle = CEJ.colors.ink;
      ctx.beginPath();
      ctx.arc(cx + half.sx * x[i], cy + half.sy * y[i], radius[i] + 5, 0, TAU);
      ctx.stroke();
    }

    function ended(half) {
      const { surface } = half, { ctx } = surface;
      ctx.textAlign = "center";
      ctx.font = CEJ.font(1.5 * player.em, 800);
      CEJ.haloed(ctx, t("player.ended.title"), surface.w / 2, surface.h / 2, CEJ.colors.ink, 8);
    }

    return view;
  };
})(window.CEJ);
