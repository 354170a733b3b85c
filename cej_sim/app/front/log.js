/* The log: what happened on each side, month by month, in words. A click goes there. */
"use strict";
(function (CEJ) {
  const el = CEJ.el;

  CEJ.views.log = function (player) {
    const { t } = player;
    const all = el("input", { type: "checkbox", onchange: () => { view.data(show); player.refit(); } });
    const pair = el("div", { class: "cej-pair cej-logs" });
    const node = el("div", null, el("div", { class: "cej-bar" }, el("label", null, all, t("player.log.all")), el("span", { class: "cej-soft" }, t("player.log.hint"))), pair);
    let show = null, columns = [];
    const view = { el: node };

    view.data = function (opened) {
      show = opened;
      pair.replaceChildren();
      columns = show.sides.map((side) => {
        const list = el("ol", { class: "cej-log", tabindex: 0, "aria-label": t("player.log.of", { title: player.letter(side.place) + ", " + player.title(side.place) }) });
        const items = [];
        for (const entry of side.log) {
          if (!entry.tick && !all.checked) continue;
          const item = el("li", null,
            el("button", { type: "button", onclick: () => player.event(entry, side) },
              el("span", { class: "cej-logmonth" }, String(entry.month)),
              CEJ.sign(entry.event),
              el("span", null, player.words(side, entry))));
          list.append(item);
          items.push({ month: entry.month, item });
        }
        if (!items.length) list.append(el("li", { class: "cej-soft" }, t("player.log.nothing")));
        pair.append(el("div", { class: "cej-half" }, el("h3", { class: "cej-loghead" }, el("span", { class: "cej-badge cej-side-" + side.letter, "aria-hidden": "true" }, side.letter), t("player.log.title", { n: items.length })), list));
        return { list, items };
      });
    };
    view.resize = () => {};
    view.month = function (m) {
      for (const { list, items } of columns) {
        let last = null;
        for (const { month, item } of items) {
          item.classList.toggle("cej-future", month > m);
          item.classList.toggle("cej-now", month === m);
          if (month <= m) last = item;
        }
        const top = last ? last.offsetTop - list.offsetTop - list.clientHeight / 2 : 0;
        list.scrollTop = Math.max(0, top);
      }
    };
    view.draw = () => {};
    return view;
  };
})(window.CEJ);
