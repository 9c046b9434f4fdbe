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
  const rows = [...body.rows].map((row) => ({
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

  // Only rows that are to be seen are in the document, which is what makes thousands of servers quick to filter.
  const matching = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter(
      (entry) =>
        (!state.value || entry.row.dataset.s === state.value) &&
        (!finding.value || entry.ids.includes(` ${finding.value} `)) &&
        words.every((word) => entry.text.includes(word)),
    );
  };

  const show = (entries) => body.replaceChildren(...entries.map((entry) => entry.row));

  const update = () => {
    const found = matching();
    const shown = showAll ? found : found.slice(0, PAGE);
    show(shown);
    const total = format.format(rows.length);
    byId("filter-status").textContent =
      found.length === rows.length ? `${total} servers` : `${format.format(found.length)} of ${total} servers`;
    byId("paging").hidden = shown.length === found.length;
    byId("show-all").textContent = `Show all ${format.format(found.length)}`;
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
    update();
    // The button is gone; go on where the table goes on.
    const next = body.rows[PAGE].cells[0];
    next.tabIndex = -1;
    next.focus();
  });
  addEventListener("beforeprint", () => show(matching()));
  addEventListener("afterprint", update);
  byId("filters").hidden = false;
  update();
})();
