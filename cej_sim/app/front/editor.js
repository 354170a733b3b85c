/* A plain editor of scenario files: a text field, line numbers with marks, and the mistakes in words. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;

  /** `on`: {check(text)} is called when typing has paused. Gives back
      {text(), load(text), problems(lines, remarks), insert(text), busy(yes)}. */
  CEJ.editor = function (root, { t, on, most }) {
    const id = "editor-" + CEJ.editor.count++;
    const numbers = el("div", { class: "cej-editor-gutter", "aria-hidden": "true" });
    const area = el("textarea", { id, class: "cej-editor-text", spellcheck: "false", autocomplete: "off", autocapitalize: "off", autocorrect: "off",
      wrap: "off", rows: 18, maxlength: most, "aria-label": t("room.editor.label"), "aria-describedby": id + "-said" });
    const said = el("div", { class: "cej-editor-said", id: id + "-said", role: "status" });
    const frame = el("div", { class: "cej-editor-frame" }, numbers, area);
    root.append(el("div", { class: "cej-editor" }, frame, said));
    let marks = new Map(), count = 0, timer = 0, checked = null;

    function draw() {
      const lines = area.value.split("\n").length;
      if (lines === count && !draw.dirty) return;
      count = lines;
      draw.dirty = false;
      const out = [];
      for (let line = 1; line <= lines; line++) {
        const mark = marks.get(line);
        out.push(el("div", mark ? { class: "is-wrong", title: mark } : {}, String(line)));
      }
      numbers.replaceChildren(...out);
      follow();
    }
    function follow() {
      numbers.style.transform = `translateY(${-area.scrollTop}px)`;
    }
    function ask() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (area.value === checked || !area.value.trim()) return;
        checked = area.value;
        on.check(area.value);
      }, 350);
    }
    area.addEventListener("scroll", follow);
    area.addEventListener("input", () => { draw(); ask(); });
    area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
      // A new line begins where the one above it does, two further behind a colon.
      const before = area.value.slice(0, area.selectionStart);
      const line = before.slice(before.lastIndexOf("\n") + 1);
      const indent = /^ */.exec(line)[0] + (/:\s*(#.*)?$/.test(line) ? "  " : "");
      if (!indent) return;
      event.preventDefault();
      write("\n" + indent);
    });
    function write(text) {
      // Through the browser, so that it can be undone.
      if (!document.execCommand || !document.execCommand("insertText", false, text)) {
        area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
        area.dispatchEvent(new Event("input"));
      }
    }
    function goto(line, column) {
      const lines = area.value.split("\n");
      let at = 0;
      for (let i = 0; i < Math.min(line - 1, lines.length - 1); i++) at += lines[i].length + 1;
      const start = at + Math.max(0, column - 1);
      area.focus();
      area.setSelectionRange(start, at + (lines[line - 1] || "").length);
      area.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(area).lineHeight));
      follow();
    }

    return {
      text: () => area.value,
      load(text) {
        area.value = text;
        checked = null;
        marks = new Map();
        draw.dirty = true;
        said.replaceChildren();
        area.scrollTop = 0;
        area.setSelectionRange(0, 0);
        draw();
        ask();
      },
      append(text) {
        area.focus();
        area.setSelectionRange(area.value.length, area.value.length);
        write((area.value.endsWith("\n") || !area.value ? "" : "\n") + text);
      },
      problems(lines, remarks) {
        marks = new Map(lines.map((one) => [one.line || 1, one.text]));
        draw.dirty = true;
        draw();
        area.setAttribute("aria-invalid", lines.length ? "true" : "false");
        const list = lines.map((one) =>
          el("li", {}, el("button", { type: "button", onclick: () => goto(one.line || 1, one.column || 1) },
            el("b", {}, t("room.editor.line", { line: one.line || 1, column: one.column || 1 })), " ", one.text)));
        const notes = (remarks || []).map((text) => el("li", { class: "cej-quiet" }, text));
        said.replaceChildren(
          el("p", { class: lines.length ? "cej-editor-wrong" : "cej-editor-right" },
            lines.length ? t(lines.length === 1 ? "room.editor.wrong_one" : "room.editor.wrong", { count: lines.length }) : t("room.editor.right")),
          ...(list.length ? [el("ol", {}, list)] : []), ...(notes.length ? [el("ul", {}, notes)] : []));
      },
    };
  };
  CEJ.editor.count = 0;
})(window.CEJ);
