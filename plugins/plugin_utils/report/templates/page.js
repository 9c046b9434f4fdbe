/* Copyright (c) 2026, dbtls contributors
   GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later
*/
"use strict";
(() => {
  const PAGE = 100;
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("scripted");

  // Folded lists are printed in full.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });

  // What a link leads to is unfolded.
  const unfold = () => {
    const target = location.hash.includes("=") ? null : byId(location.hash.slice(1));
    for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    if (target) target.scrollIntoView();
  };

  const copy = async (button, code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      byId("announcement").textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch {
      getSelection().selectAllChildren(code);
    }
  };
  for (const code of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(button, code));
    code.after(button);
  }

  const table = byId("servers-table");
  if (!table) {
    addEventListener("hashchange", unfold);
    unfold();
    return;
  }
  const headers = [...table.tHead.rows[0].cells];
  const collator = new Intl.Collator("en", { numeric: true });
  const rows = [...table.tBodies].map((body) => ({
    body,
    text: body.textContent.toLowerCase(),
    ids: ` ${body.dataset.f} `,
    keys: [...body.rows[0].cells].map((cell) => {
      const value = cell.dataset.v;
      return value === undefined ? cell.textContent : value === "" ? null : Number(value);
    }),
  }));
  let showAll = rows.length <= PAGE;

  const controls = {
    search: byId("filter-text"),
    state: byId("filter-state"),
    finding: byId("filter-finding"),
    group: byId("group-by"),
  };
  const valueOf = (name) => controls[name]?.value ?? "";
  const format = new Intl.NumberFormat("en");

  const matching = () => {
    const words = valueOf("search").toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter(
      (entry) =>
        (!valueOf("state") || entry.body.dataset.s === valueOf("state")) &&
        (!valueOf("finding") || entry.ids.includes(` ${valueOf("finding")} `)) &&
        words.every((word) => entry.text.includes(word)),
    );
  };

  const heading = (text) => {
    const body = document.createElement("tbody");
    body.className = "group";
    const cell = body.insertRow().appendChild(document.createElement("th"));
    cell.colSpan = headers.length;
    cell.scope = "rowgroup";
    cell.textContent = text;
    return body;
  };

  const grouped = (shown, found) => {
    const key = valueOf("group");
    if (!key) return shown.map((entry) => entry.body);
    const groups = new Map();
    for (const entry of found) {
      const name = entry.body.dataset[key] ?? "";
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(entry);
    }
    const isShown = new Set(shown);
    return [...groups.keys()].sort((one, other) => (one === "") - (other === "") || collator.compare(one, other))
      .flatMap((name) => {
        const all = groups.get(name);
        const some = all.filter((entry) => isShown.has(entry));
        const count = format.format(all.length);
        const told = some.length === all.length ? count : `${format.format(some.length)} of ${count}`;
        return [heading(`${name || "Without"} (${told})`), ...some.map((entry) => entry.body)];
      });
  };

  // Only visible rows are in the document, which is what makes thousands of servers quick to filter.
  const show = (shown, found) => {
    for (const body of [...table.tBodies]) body.remove();
    table.append(...grouped(shown, found));
  };

  const update = () => {
    const found = matching();
    const shown = showAll ? found : found.slice(0, PAGE);
    show(shown, found);
    const total = format.format(rows.length);
    byId("filter-status").textContent =
      found.length === rows.length ? `${total} servers` : `${format.format(found.length)} of ${total} servers`;
    byId("paging").hidden = shown.length === found.length;
    byId("show-all").textContent = `Show all ${format.format(found.length)}`;
  };

  // The filters are in the address, so that it can be sent to somebody.
  const remember = () => {
    const set = Object.keys(controls).filter(valueOf).map((name) => [name, valueOf(name)]);
    history.replaceState(null, "", set.length ? `#${new URLSearchParams(set)}` : "#servers");
  };
  const changed = () => {
    update();
    remember();
  };
  const recall = () => {
    if (!location.hash.includes("=")) {
      unfold();
      return;
    }
    const given = new URLSearchParams(location.hash.slice(1));
    for (const [name, control] of Object.entries(controls)) {
      if (!control) continue;
      control.value = given.get(name) ?? "";
      if (control.selectedIndex === -1) control.value = "";
    }
    update();
    byId("servers").scrollIntoView();
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
  for (const { body } of rows) {
    const name = body.rows[0].cells[0].querySelector("bdi");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "open-row";
    button.setAttribute("aria-expanded", "false");
    name.replaceWith(button);
    button.append(name);
  }
  table.addEventListener("click", (event) => {
    const button = event.target.closest(".open-row");
    if (button) button.setAttribute("aria-expanded", button.closest("tbody").classList.toggle("opened"));
  });
  for (const control of Object.values(controls)) control?.addEventListener("input", changed);
  byId("filter-reset").addEventListener("click", () => {
    for (const control of Object.values(controls)) if (control) control.value = "";
    changed();
    controls.search.focus();
  });
  byId("show-all").addEventListener("click", () => {
    showAll = true;
    update();
    // The button is gone; continue where the table continues.
    table.tBodies[Math.min(PAGE, table.tBodies.length - 1)].querySelector("button")?.focus();
  });
  addEventListener("beforeprint", () => show(matching(), matching()));
  addEventListener("afterprint", update);
  addEventListener("hashchange", recall);
  byId("filters").hidden = false;
  update();
  recall();
})();
