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

  /** A translator: t(key, {name: value}). A key without a text shows itself, so that a gap is seen. */
  CEJ.translator = function (texts) {
    const t = function (key, values) {
      const text = texts && Object.prototype.hasOwnProperty.call(texts, key) ? texts[key] : key;
      return values ? text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all)) : text;
    };
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
