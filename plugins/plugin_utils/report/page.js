/* Copyright (c) 2026, dbtls contributors
   GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
(() => {
  const PAGE = 100;
  const byId = (id) => document.getElementById(id);

  // Folded lists are printed in full.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });

  const table = byId("servers-table");
  if (!table) return;
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const collator = new Intl.Collator("en", { numeric: true });
  let rows = [...body.rows].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
    ids: ` ${row.cells[2].querySelector("small")?.textContent ?? ""} `,
    keys: [...row.cells].map((cell) => {
      const value = cell.dataset.v;
      return value === undefined ? cell.textContent : value === "" ? null : Number(value);
    }),
  }));
  let showAll = rows.length <= PAGE;

  const text = byId("filter-text");
  const state = byId("filter-state");
  const finding = byId("filter-finding");
  const format = new Intl.NumberFormat("en");

  const update = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let matching = 0;
    for (const entry of rows) {
      const fits =
        (!state.value || entry.row.dataset.s === state.value) &&
        (!finding.value || entry.ids.includes(` ${finding.value} `)) &&
        words.every((word) => entry.text.includes(word));
      matching += fits;
      const kind = !fits ? "out" : !showAll && matching > PAGE ? "later" : "";
      if (entry.row.className !== kind) entry.row.className = kind;
    }
    const shown = showAll ? matching : Math.min(matching, PAGE);
    const total = format.format(rows.length);
    byId("filter-status").textContent =
      matching === rows.length ? `${total} servers` : `${format.format(matching)} of ${total} servers`;
    byId("paging").hidden = shown === matching;
    byId("show-all").textContent = `Show all ${format.format(matching)}`;
  };

  const compare = (column, sign) => (one, other) => {
    const a = one.keys[column];
    const b = other.keys[column];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
  };

  const sort = (column) => {
    const header = headers[column];
    const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    rows.sort(compare(column, sign));
    body.append(...rows.map((entry) => entry.row));
    update();
  };

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(column));
  });
  for (const control of [text, state, finding]) control.addEventListener("input", update);
  byId("filter-reset").addEventListener("click", () => {
    text.value = state.value = finding.value = "";
    update();
    text.focus();
  });
  byId("show-all").addEventListener("click", () => {
    showAll = true;
    const next = rows.filter((entry) => entry.row.className !== "out")[PAGE];
    update();
    // The button is gone; go on where the table went on.
    next?.row.cells[0].setAttribute("tabindex", "-1");
    next?.row.cells[0].focus();
  });
  byId("filters").hidden = false;
  update();
})();
