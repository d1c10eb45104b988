// The findings list: filters, groups, and a window over what may be twenty thousand rows.
// Text is only ever set as text; the page's policy refuses anything else.
"use strict";
(() => {
  const SEVERITIES = ["info", "low", "medium", "high", "critical"];
  const PAGE = 100;
  const $ = (id) => document.getElementById(id);
  const rows = JSON.parse($("data").textContent);
  const list = $("list");
  const order = new Map(rows.map((row, index) => [row, index]));

  const el = (tag, look, ...inside) => {
    const element = document.createElement(tag);
    if (look) element.className = look;
    element.append(...inside.filter((one) => one !== null && one !== undefined && one !== ""));
    return element;
  };
  const outside = (address, text) => {
    const link = el("a", "", text);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  };

  // === one finding ===

  const code = (lines) => {
    const box = el("pre", "code", ...lines.map((line) => el("span", line.h ? "line hit" : "line",
      el("span", "no", String(line.n)),
      el("span", "src", line.a, line.m ? el("mark", "", line.m) : "", line.z))));
    box.tabIndex = 0;
    return box;
  };
  const pair = (name, ...value) => el("div", "", el("dt", "", name), el("dd", "", ...value));
  const chip = (rank) => el("span", "chip", SEVERITIES[rank]);

  const body = (row) => {
    const facts = el("dl", "pairs", pair("Kind", row.k), pair("Defect", row.d));
    if (row.c) facts.append(pair("Confidence", row.c));
    if (row.q) facts.append(pair("Score", row.q));
    if (row.w) {
      const links = row.w.flatMap((n) =>
        [outside(`https://cwe.mitre.org/data/definitions/${Number(n)}.html`, `CWE-${n}`), " "]);
      facts.append(pair("CWE", ...links));
    }
    if (row.o) facts.append(pair("OWASP", row.o.join(", ")));
    if (row.h && /^https?:\/\//.test(row.h)) facts.append(pair("Help", outside(row.h, row.h)));
    facts.append(pair("Fingerprint", el("code", "", row.i)));
    const seen = row.v && el("ul", "sightings", ...row.g.map((one) => el("li", `sev-${SEVERITIES[one.s]}`,
      chip(one.s), el("strong", "", one.t), " ", el("code", "", one.r), " ", el("span", "", one.m))));
    const fix = row.f && el("div", "fix", el("h4", "", "Fix"), el("p", "", row.f.d),
      ...(row.f.e || []).map(([line, text]) => code([{ n: line, a: text }])));
    return el("div", "body",
      row.x && el("p", "suppressed", `Suppressed by ${row.x[0]}: ${row.x[1]}`),
      row.e && code(row.e.n), fix, facts, seen);
  };

  const others = (row) => {
    const names = new Set(row.g.map((one) => one.t));
    names.delete(row.t);
    return names.size ? `also ${[...names].join(", ")}` : "";
  };

  const card = (row) => {
    const place = row.p ? el("code", "", row.l ? `${row.p}:${row.l}` : row.p) : el("span", "", "the whole app");
    const also = others(row);
    const details = el("details", "", el("summary", "", chip(row.s),
      el("span", "what", el("span", "msg", row.m),
        el("span", "where", place, el("span", "", `${row.t} · ${row.r}`), also && el("span", "", also)))));
    // Bodies are made when they are first opened: most never are.
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(body(row));
    });
    return el("li", `finding sev-${SEVERITIES[row.s]}`, details);
  };

  // === filters ===

  const searched = new Map();
  const haystack = (row) => {
    let text = searched.get(row);
    if (text === undefined) {
      text = `${row.p || ""}\n${row.m}\n${row.r}\n${row.d}`.toLowerCase();
      searched.set(row, text);
    }
    return text;
  };
  const count = (pick) => {
    const counts = new Map();
    for (const row of rows) for (const key of pick(row)) counts.set(key, (counts.get(key) || 0) + 1);
    return counts;
  };
  const toolsOf = (row) => new Set(row.g.map((one) => one.t).concat(row.t));
  const fill = (select, counts) => {
    for (const [name, number] of [...counts].sort((a, b) => b[1] - a[1])) {
      const option = el("option", "", `${name} (${number})`);
      option.value = name;
      select.append(option);
    }
  };
  const boxes = SEVERITIES.map((name, rank) => {
    const box = el("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => refresh());
    return { name, rank, box };
  });
  const severityCounts = count((row) => (row.x ? [] : [row.s]));
  for (const { name, rank, box } of [...boxes].reverse()) {
    $("severities").append(el("label", `sev-${name}`, box, el("span", "word", name),
      el("span", "", (severityCounts.get(rank) || 0).toLocaleString("en"))));
  }
  fill($("kind"), count((row) => [row.k]));
  fill($("tool"), count(toolsOf));

  const chosen = () => {
    const ranks = boxes.map(({ box }) => box.checked);
    const words = $("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [kind, tool] = [$("kind").value, $("tool").value];
    const suppressed = $("shown").value === "suppressed";
    return rows.filter((row) => Boolean(row.x) === suppressed && ranks[row.s]
      && (!kind || row.k === kind) && (!tool || toolsOf(row).has(tool))
      && words.every((word) => haystack(row).includes(word)));
  };
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const sorted = (found) => {
    const by = $("sort").value;
    if (by === "s") return found;
    return found.sort((a, b) => compare(a[by] || "", b[by] || "")
      || (by === "p" ? parseInt(a.l || "0", 10) - parseInt(b.l || "0", 10) : 0)
      || order.get(a) - order.get(b));
  };
  const groupName = (row, by) => (by === "p" ? row.p || "the whole app" : `${row.t} · ${row.r}`);

  // Groups keep the order in which their first row comes, so the sort decides both.
  const laidOut = (found) => {
    const by = $("group").value;
    if (!by) return found.map((row) => ({ row }));
    const groups = new Map();
    for (const row of found) {
      const name = groupName(row, by);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(row);
    }
    return [...groups].flatMap(([name, members]) =>
      [{ name, size: members.length }, ...members.map((row) => ({ row }))]);
  };

  // === the window ===

  let items = [];
  let next = 0;
  const more = () => {
    const part = items.slice(next, next + PAGE);
    list.append(...part.map((item) => (item.row ? card(item.row)
      : el("li", "group", el("span", "", item.name), el("span", "note", item.size.toLocaleString("en"))))));
    next += part.length;
    const left = items.slice(next).filter((item) => item.row).length;
    $("more").hidden = left === 0;
    $("more").textContent = `Show more (${left.toLocaleString("en")} left)`;
  };
  const untouched = () => boxes.every(({ box }) => box.checked)
    && ["text", "kind", "tool"].every((id) => $(id).value === "");
  const refresh = () => {
    const found = sorted(chosen());
    const all = rows.filter((row) => Boolean(row.x) === ($("shown").value === "suppressed")).length;
    items = laidOut(found);
    next = 0;
    list.replaceChildren();
    more();
    const number = found.length.toLocaleString("en");
    $("count").textContent = found.length === all ? `${number} findings`
      : `${number} of ${all.toLocaleString("en")} findings`;
    if (found.length === 0) $("count").textContent = all === 0 ? "No findings" : "No finding matches these filters";
    if ($("empty")) $("empty").hidden = all > 0;
    $("reset").hidden = untouched();
  };

  let waiting = 0;
  $("text").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 120);
  });
  for (const id of ["kind", "tool", "group", "sort", "shown"]) $(id).addEventListener("change", refresh);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("more").addEventListener("click", () => {
    const at = list.children.length;
    more();
    list.children[at]?.querySelector("summary")?.focus({ preventScroll: true });
  });
  const clear = () => {
    for (const { box } of boxes) box.checked = true;
    for (const id of ["text", "kind", "tool"]) $(id).value = "";
  };
  $("reset").addEventListener("click", () => { clear(); refresh(); });

  // === plots that filter, theme, keys, print ===

  for (const bar of document.querySelectorAll("[data-filter]")) {
    const label = bar.querySelector(".label");
    const button = el("button", "label", label.textContent);
    button.type = "button";
    button.addEventListener("click", () => {
      clear();
      const { filter, value } = bar.dataset;
      if (filter === "severity") for (const { name, box } of boxes) box.checked = name === value;
      if (filter === "kind") $("kind").value = value;
      if (filter === "file") $("text").value = value;
      $("shown").value = "open";
      refresh();
      $("findings").scrollIntoView();
    });
    label.replaceWith(button);
  }
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("assay-theme", root.dataset.theme); } catch { /* see early.js */ }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName || "")) return;
    event.preventDefault();
    $("text").focus();
  });
  if (rows.length === 0) for (const element of document.querySelectorAll(".controls, .status")) element.hidden = true;
  refresh();
})();
