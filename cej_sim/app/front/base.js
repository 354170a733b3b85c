/* The namespace of the front end, and what every part of it uses: arrays, words, numbers, elements, colors. */
"use strict";
window.CEJ = window.CEJ || {};

(function (CEJ) {
  const TYPES = { u1: Uint8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array, f4: Float32Array };

  /** {dtype, shape, b64} -> a typed array with `shape` and `at(...)`; anything else is given back as it is. */
  CEJ.decode = function (packed) {
    if (!packed || typeof packed.b64 !== "string") return packed;
    const text = atob(packed.b64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const Type = TYPES[packed.dtype];
    if (!Type) throw new Error("unknown dtype " + packed.dtype);
    const out = new Type(bytes.buffer);
    out.shape = packed.shape;
    return out;
  };

  /** A copy of a payload in which every packed array, however deep, is decoded. */
  CEJ.decodeAll = function (value) {
    if (Array.isArray(value)) return value.map(CEJ.decodeAll);
    if (value && typeof value === "object") {
      if (typeof value.b64 === "string") return CEJ.decode(value);
      const out = {};
      for (const key of Object.keys(value)) out[key] = CEJ.decodeAll(value[key]);
      return out;
    }
    return value;
  };

  /** A translator: t(key, {name: value}). A key without a text shows itself, and stands in `t.missing`. */
  CEJ.translator = function (texts) {
    const t = function (key, values) {
      const there = texts && Object.prototype.hasOwnProperty.call(texts, key);
      if (!there) t.missing.add(key);
      const text = there ? texts[key] : key;
      return values ? text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all)) : text;
    };
    t.missing = new Set();
    t.has = (key) => Boolean(texts) && Object.prototype.hasOwnProperty.call(texts, key);
    return t;
  };

  /** An element: CEJ.el("div", {class: "x", onclick: f, aria-label: "..."}, child, "text", ...). */
  CEJ.el = function (tag, attributes, ...children) {
    const svg = tag.startsWith("svg:");
    const node = svg
      ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on") && typeof value === "function") node.addEventListener(name.slice(2), value);
      else if (name === "style" && typeof value === "object") Object.assign(node.style, value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) node.append(child);
    return node;
  };

  CEJ.clamp = (x, low, high) => (x < low ? low : x > high ? high : x);
  CEJ.percent = (x) => Math.round(100 * x) + "\u202f%";

  /** Whether the reader asked the system for less motion. */
  CEJ.calm = () => Boolean(window.matchMedia && matchMedia("(prefers-reduced-motion: reduce)").matches);

  /** A region that a screen reader reads aloud when `say` is called; the same words twice are said twice. */
  CEJ.announcer = function (parent) {
    const node = CEJ.el("div", { class: "cej-unseen", "aria-live": "polite", role: "status" });
    parent.append(node);
    return (text) => {
      node.textContent = "";
      requestAnimationFrame(() => (node.textContent = text));
    };
  };

  /** A row that may be too long for its place: where more of it lies to a side, it fades out there and has a button to go on.
      Gives back the element to put on the page. */
  CEJ.scrolling = function (row) {
    const go = (by) => row.scrollBy({ left: by * 0.7 * row.clientWidth, behavior: CEJ.calm() ? "auto" : "smooth" });
    const arrow = (by, path) =>
      CEJ.el("button", { type: "button", class: "cej-more cej-more-" + (by < 0 ? "left" : "right"), tabindex: -1, "aria-hidden": "true", onclick: () => go(by) },
        CEJ.el("svg:svg", { viewBox: "0 0 10 16" }, CEJ.el("svg:path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": 2.4 })));
    const box = CEJ.el("div", { class: "cej-scrolling" }, row, arrow(-1, "M8 2L2 8l6 6"), arrow(1, "M2 2l6 6-6 6"));
    const look = () => {
      const left = row.scrollLeft > 2, right = row.scrollLeft + row.clientWidth < row.scrollWidth - 2;
      box.classList.toggle("has-left", left);
      box.classList.toggle("has-right", right);
    };
    row.addEventListener("scroll", look, { passive: true });
    // What is reached by keyboard comes out from under the fade.
    row.addEventListener("focusin", (event) => event.target.scrollIntoView({ block: "nearest", inline: "center" }));
    new ResizeObserver(look).observe(row);
    return box;
  };

  /** Keys of a part of the page. `bindings`: [{keys: ["ArrowLeft", "j"], label, run(event)}]; typing in a field is left
      alone, and so is everything outside `root` unless nothing else has the focus. Gives back a function that ends it. */
  CEJ.keys = function (root, bindings) {
    const typing = (node) =>
      node instanceof HTMLElement &&
      (node.isContentEditable || /^(TEXTAREA|SELECT)$/.test(node.tagName) ||
        (node.tagName === "INPUT" && !/^(button|checkbox|radio|range)$/.test(node.type)));
    const listen = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const at = event.target;
      if (typing(at)) return;
      if (at.closest && at.closest("dialog[open]")) return; // an open dialog has keys of its own
      if (at !== document.body && at !== document.documentElement && !root.contains(at)) return;
      if (at.tagName === "INPUT" && at.type === "range" && /^(Arrow|Home|End|Page)/.test(event.key)) return;
      if ((event.key === " " || event.key === "Enter") && /^(BUTTON|A|SUMMARY)$/.test(at.tagName)) return;
      if ((event.key === " " || /^Arrow/.test(event.key)) && at.tagName === "INPUT") return;
      const found = bindings.find((one) => one.keys.includes(event.key));
      if (!found) return;
      event.preventDefault();
      found.run(event);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  };

  /** Colors of Okabe and Ito (2008), told apart under the common kinds of color blindness. */
  CEJ.colors = {
    ink: "#1b1f27",
    soft: "#5a6270",
    faint: "#c9ced6",
    paper: "#ffffff",
    kinds: ["#e69f00", "#0072b2", "#2b2b33", "#009e73"], // resident, institution, backbone, organizer
    sides: ["#1b1f27", "#a04a7a"],
    accent: "#d55e00",
  };
  CEJ.KINDS = ["resident", "institution", "backbone", "organizer"];
})(window.CEJ);

/* Drawing: canvases at the screen's own resolution, shapes of equal area, fills that do not rest on color alone. */
(function (CEJ) {
  /** A canvas of the size of its box. `resize()` fits it to its box and gives back whether that changed anything.
      With `still`, a second canvas lies under it (`under`, its context) for what does not move from frame to frame. */
  CEJ.surface = function (parent, still) {
    const canvas = CEJ.el("canvas", { class: "cej-canvas", "aria-hidden": "true" });
    const below = still ? CEJ.el("canvas", { class: "cej-canvas", "aria-hidden": "true" }) : null;
    const box = CEJ.el("div", { class: "cej-box" }, below, canvas);
    parent.append(box);
    const surface = { canvas, box, ctx: canvas.getContext("2d"), under: below && below.getContext("2d"), w: 0, h: 0, ratio: 0 };
    surface.resize = function () {
      const w = Math.floor(box.clientWidth), h = Math.floor(box.clientHeight);
      const ratio = Math.min(3, window.devicePixelRatio || 1);
      if (w === surface.w && h === surface.h && ratio === surface.ratio) return false;
      Object.assign(surface, { w, h, ratio });
      for (const ctx of [surface.ctx, surface.under]) {
        if (!ctx) continue;
        ctx.canvas.width = Math.max(1, Math.round(w * ratio));
        ctx.canvas.height = Math.max(1, Math.round(h * ratio));
        ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      }
      return true;
    };
    return surface;
  };

  /** A canvas that is not shown, of a size in pixels of the page, to draw once and copy often. */
  CEJ.offscreen = function (w, h, ratio) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(w * ratio));
    canvas.height = Math.max(1, Math.round(h * ratio));
    const ctx = canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { canvas, ctx, w, h };
  };

  const FACES = '"Inter", "Segoe UI", "Helvetica Neue", "Noto Sans", "DejaVu Sans", Arial, sans-serif';
  CEJ.font = (size, weight) => (weight || 400) + " " + Math.round(size * 10) / 10 + "px " + FACES;

  /** Add the outline of an agent's shape to the path: all kinds cover the area of a circle of radius r. */
  CEJ.outline = function (ctx, kind, x, y, r) {
    if (kind === 0) {
      ctx.moveTo(x + r, y);
      ctx.arc(x, y, r, 0, 2 * Math.PI);
    } else if (kind === 1) {
      const a = 0.886 * r;
      ctx.rect(x - a, y - a, 2 * a, 2 * a);
    } else if (kind === 2) {
      const a = 1.2533 * r;
      ctx.moveTo(x, y - a);
      ctx.lineTo(x + a, y);
      ctx.lineTo(x, y + a);
      ctx.lineTo(x - a, y);
      ctx.closePath();
    } else {
      const a = 1.555 * r; // an even triangle: its area is 3 sqrt(3) / 4 of the square of a
      ctx.moveTo(x, y - a);
      ctx.lineTo(x + 0.866 * a, y + 0.5 * a);
      ctx.lineTo(x - 0.866 * a, y + 0.5 * a);
      ctx.closePath();
    }
  };

  /** Fill for what began as others' ideas: slanted lines in the color of organizations. */
  CEJ.hatch = function (ctx, ratio) {
    const step = 8;
    const tile = CEJ.offscreen(step, step, ratio);
    tile.ctx.fillStyle = "#e3edf4";
    tile.ctx.fillRect(0, 0, step, step);
    tile.ctx.strokeStyle = CEJ.colors.kinds[1];
    tile.ctx.lineWidth = 2;
    tile.ctx.beginPath();
    for (const shift of [-step, 0, step]) {
      tile.ctx.moveTo(shift - 1, step + 1);
      tile.ctx.lineTo(shift + step + 1, -1);
    }
    tile.ctx.stroke();
    return fitted(ctx.createPattern(tile.canvas, "repeat"), ratio);
  };

  /** Fill for what began as residents' ideas: dots on the residents' color. */
  CEJ.dots = function (ctx, ratio) {
    const step = 8;
    const tile = CEJ.offscreen(step, step, ratio);
    tile.ctx.fillStyle = CEJ.colors.kinds[0];
    tile.ctx.fillRect(0, 0, step, step);
    tile.ctx.fillStyle = "#7a4f00";
    for (const [x, y] of [[2, 2], [6, 6]]) {
      tile.ctx.beginPath();
      tile.ctx.arc(x, y, 1.1, 0, 2 * Math.PI);
      tile.ctx.fill();
    }
    return fitted(ctx.createPattern(tile.canvas, "repeat"), ratio);
  };

  function fitted(pattern, ratio) {
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  }

  /** Text with a light rim, so that it can be read on anything. */
  CEJ.haloed = function (ctx, text, x, y, color, rim) {
    ctx.lineJoin = "round";
    ctx.lineWidth = rim || 4;
    ctx.strokeStyle = "rgba(255,255,255,.92)";
    ctx.strokeText(text, x, y);
    ctx.fillStyle = color;
    ctx.fillText(text, x, y);
  };

  /** Text cut to a width, with an ellipsis. */
  CEJ.shortened = function (ctx, text, width) {
    if (ctx.measureText(text).width <= width) return text;
    let short = text;
    while (short.length > 1 && ctx.measureText(short + "\u2026").width > width) short = short.slice(0, -1);
    return short.trimEnd() + "\u2026";
  };

  /** The lines of a text within a width. */
  CEJ.wrapped = function (ctx, text, width) {
    const lines = [];
    let line = "";
    for (const word of text.split(" ")) {
      const longer = line ? line + " " + word : word;
      if (line && ctx.measureText(longer).width > width) {
        lines.push(line);
        line = word;
      } else line = longer;
    }
    if (line) lines.push(line);
    return lines;
  };

  CEJ.MEMBER = 1;
  CEJ.PRESENT = 2;
  CEJ.LEADER = 4;
  CEJ.MOBILIZED = 8;
  CEJ.views = {};
})(window.CEJ);
