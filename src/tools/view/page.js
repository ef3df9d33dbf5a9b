"use strict";
// One checkpoint's page tables, drawn from the data in this page (viewdata.py says what is in it). Rows are made when they are opened.
const data = JSON.parse(document.getElementById("data").textContent);
const big = (hex) => BigInt("0x" + hex);
const wide = data.mode === "long" ? 16 : 8;
const va = (n) => "0x" + n.toString(16).padStart(wide, "0");
const pa = (n) => "0x" + n.toString(16).padStart(12, "0");
const el = (tag, cls, text) => { const e = document.createElement(tag); if (cls) e.className = cls; if (text !== undefined) e.textContent = text; return e; };
const span = (level) => 1n << BigInt(data.levels[level].shift);
const top_level = data.levels.length - 1;

// -------------------------------------------------------------------------------------------------- finding one's way

function covers(level, base, index) {
  let at = base + BigInt(index) * span(level);
  if (data.mode === "long" && level === 3 && index >= 256) at |= 0xffff000000000000n;
  return at;
}
function table_base(address, level) {
  if (level === top_level) return 0n;
  return address & ~(span(level) * BigInt(data.levels[level].entries) - 1n);
}
const index_of = (address, level) => Number((address >> BigInt(data.levels[level].shift)) % BigInt(data.levels[level].entries));
const key_of = (level, base) => level + ":" + base.toString(16);

for (const hat of data.hats) {
  hat.index = new Map(hat.tables.map((t) => [t.l + ":" + t.b, t]));
  hat.changed = (data.changes && data.changes.hats[hat.addr]) || {};
  hat.weight = new Map();  // differences and changes in a table or below it
}
const kernel = data.hats.find((h) => h.name === "kernel");
function table_at(hat, level, base) {
  const key = key_of(level, base);
  return hat.index.get(key) || (hat !== kernel && kernel && kernel.index.get(key)) || null;
}
function run_at(table, index) {
  let lo = 0, hi = table.runs.length - 1;
  while (lo <= hi) {
    const mid = (lo + hi) >> 1, run = table.runs[mid];
    if (index < run[0]) hi = mid - 1; else if (index > run[1]) lo = mid + 1; else return run;
  }
  return null;
}
function for_parents(table, fn) {
  for (let level = table.l + 1; level <= top_level; level++) fn(key_of(level, table_base(big(table.b), level)));
}
for (const hat of data.hats) for (const table of hat.tables) {
  const bad = table.runs.filter((r) => r[6] === "diff").length + (table.in && table.k ? 0 : hat.name === "boot" ? 0 : 1);
  const changed = hat.changed[table.l + ":" + table.b] ? 1 : 0;
  if (!bad && !changed) continue;
  const add = (key) => { const w = hat.weight.get(key) || { bad: 0, changed: 0 }; w.bad += bad; w.changed += changed; hat.weight.set(key, w); };
  add(table.l + ":" + table.b);
  for_parents(table, add);
}

// ------------------------------------------------------------------------------------------------------------- words

const meaning = (text) => { // "rwxu g ad c0 s0", for who cannot see the letters
  const [rights, g, ad] = text.split(" ");
  const words = [rights[1] === "w" ? "writable" : "read only", rights[2] === "x" ? "executable" : "not executable", rights[3] === "u" ? "user" : "supervisor"];
  if (g === "g") words.push("global");
  if (ad && ad[0] === "a") words.push("accessed");
  if (ad && ad[1] === "d") words.push("dirty");
  return words.join(", ");
};
function range_text(level, base, first, last) {
  const lo = covers(level, base, first), hi = covers(level, base, last) + span(level) - 1n;
  return va(lo) + "-" + va(hi);
}
function frame_of(entry, level, leaf) { // the address in an entry, by the manuals
  const e = big(entry);
  if (data.mode === "nonpae") return leaf && level ? (e & 0xffc00000n) | (((e >> 13n) & 0xffn) << 32n) : e & 0xfffff000n;
  return e & ((1n << 52n) - 1n) & ~(leaf ? span(level) - 1n : 0xfffn);
}
function told(table) {
  const k = table.k;
  if (!k) return "the kernel knows no table here";
  return `busy ${k.busy} valid ${k.valid} lock ${k.lock}` + (k.flags.length ? " " + k.flags.join(",") : "") + ` ht 0x${k.addr}`;
}
function table_marks(hat, table, row) {
  const key = table.l + ":" + table.b, change = hat.changed[key], weight = hat.weight.get(key);
  if (change) row.append(el("span", "mark " + (change.what === "new" ? "new" : "changed"), change.what === "new" ? "+ new" : "~ " + change_text(change)));
  if (weight && weight.bad) row.append(el("span", "mark diff", `≠ ${weight.bad}`));
  if (weight && weight.changed && !change) row.append(el("span", "mark changed", `~ ${weight.changed} below`));
}
function change_text(change) {
  const parts = Object.entries(change.counts || {}).map(([name, [a, b]]) => `${name} ${a}→${b}`);
  const n = (change.entries || []).length + (change.more || 0);
  if (n) parts.push(n === 1 ? `entry ${change.entries[0][0]}` : `${n} entries`);
  return "changed: " + parts.join(", ");
}

// -------------------------------------------------------------------------------------------------------------- rows

function row(left, right, cls) {
  const r = el("div", "row" + (cls ? " " + cls : ""));
  r.append(left, right);
  return r;
}
function item(hat, level, cls, left, right, open) {
  const li = el("li");
  li.setAttribute("role", "treeitem");
  li.setAttribute("aria-level", level);
  li.tabIndex = -1;
  const l = el("span"), twist = el("span", "twist", open ? "▸" : "");
  twist.setAttribute("aria-hidden", "true");
  l.append(twist, ...left);
  const r = el("span");
  r.append(...right);
  li.append(row(l, r, cls));
  if (open) { li.setAttribute("aria-expanded", "false"); li.open_with = open; }
  return li;
}
function table_item(hat, table, depth, slot) {
  const left = [], base = big(table.b);
  if (slot) left.push(el("span", "dim", `[${slot[0]}] `));
  left.push(`level ${table.l} ${va(base)}-${va(big(table.e))} `, el("span", "dim", told(table)));
  table_marks(hat, table, left.mark = { append: (m) => left.push(m) });
  const right = [table.in ? `table at ${pa(big(table.pa))}` : "no table in memory"];
  if (slot) right.push(` by 0x${slot[3]} ${data.mode === "pae" && table.l + 1 === 2 ? "" : slot[5]}`, el("span", "same", " = same"));
  const li = item(hat, depth, table.in && (table.k || hat.name === "boot") ? "" : "diff", left, right, () => runs_of(hat, table, depth + 1));
  li.dataset.key = table.l + ":" + table.b;
  return li;
}
function run_item(hat, table, run, depth) {
  const [first, last, kind, entry, claim, text, mark] = run, base = big(table.b);
  const slots = first === last ? `[${first}]` : `[${first}-${last}]`;
  const left = [el("span", "dim", slots + " "), range_text(table.l, base, first, last)], right = [];
  const size = data.levels[table.l].size;
  if (kind === "copy") { left.push(" as in the kernel's table"); right.push(el("span", "same", "= same")); }
  else if (mark === "diff") {
    left.push(` 0x${claim}`);
    right.push(`≠ 0x${entry} `, kind === "leaf" ? `${size} ${text}` : kind, el("span", "mark diff", "≠ differs"));
  } else {
    left.push(kind === "leaf" ? ` → ${pa(frame_of(entry, table.l, true))} ${size} ${text}` : ` ${kind} 0x${entry}`);
    right.push(`0x${entry}` + (first === last ? "" : " …"), el("span", "same", " = same"));
  }
  const li = item(hat, depth, mark === "diff" ? "diff" : "", left, right, null);
  li.dataset.key = `${table.l}:${table.b}#${first}`;
  if (kind === "leaf" && text) li.setAttribute("aria-description", meaning(text));
  return li;
}
function runs_of(hat, table, depth) {
  const found = [];
  for (const run of table.runs) {
    const child = run[2] === "table" && hat.index.get(key_of(table.l - 1, covers(table.l, big(table.b), run[0])));
    if (only_changed() && !(child && hat.weight.get(child.l + ":" + child.b)) && run[6] !== "diff") continue;
    if (child && run[6] !== "diff") found.push(table_item(hat, child, depth, run));
    else {
      found.push(run_item(hat, table, run, depth));
      if (child) found.push(table_item(hat, child, depth));
    }
  }
  for (const child of orphans(hat, table)) found.push(table_item(hat, child, depth));
  if (!found.length) found.push(item(hat, depth, "", [el("span", "dim", only_changed() ? "nothing has changed here" : "empty")], [""], null));
  return found;
}
// Tables that one side has and no link in memory leads to.
function orphans(hat, table) {
  if (!table.l) return [];
  return hat.unlinked.filter((t) => t.l === table.l - 1 && table_base(big(t.b), table.l) === big(table.b));
}
for (const hat of data.hats) {
  const linked = new Set();
  for (const t of hat.tables) for (const r of t.runs) if (r[2] === "table") linked.add(key_of(t.l - 1, covers(t.l, big(t.b), r[0])));
  hat.unlinked = hat.tables.filter((t) => t.l < hat.top && !linked.has(t.l + ":" + t.b));
}
const only_changed = () => document.getElementById("only-changed").checked;

function expand(li) {
  if (!li.open_with || li.getAttribute("aria-expanded") === "true") return;
  let group = li.querySelector(":scope > ul");
  if (!group) {
    group = el("ul");
    group.setAttribute("role", "group");
    group.append(...li.open_with());
    li.append(group);
  }
  group.hidden = false;
  li.setAttribute("aria-expanded", "true");
  li.querySelector(".twist").textContent = "▾";
}
function collapse(li) {
  const group = li.querySelector(":scope > ul");
  if (!group) return;
  group.hidden = true;
  li.setAttribute("aria-expanded", "false");
  li.querySelector(".twist").textContent = "▸";
}

// ------------------------------------------------------------------------------------------------------------- trees

const trees = new Map();
function draw_trees() {
  const box = document.getElementById("trees");
  box.replaceChildren();
  for (const hat of data.hats) {
    const h = el("h3", "", `hat 0x${hat.addr}, ${hat.name}${hat.flags.length ? " (" + hat.flags.join(", ") + ")" : ""}`);
    if (data.changes && data.changes.new.includes(hat.addr)) h.append(el("span", "mark new", "+ new"));
    h.id = "hat-" + hat.addr;
    const facts = el("p", "help", `${hat.tables.length} tables, pages by level ${hat.pages.join(", ")}, root ${pa(big(hat.root))}, runs on CPUs 0x${hat.cpus}` +
      (hat.current ? "; CR3 holds it: Bochs' own translation is the third witness" : "; Bochs is blind here: it translates only what CR3 holds"));
    const tree = el("ul");
    tree.setAttribute("role", "tree");
    tree.setAttribute("aria-labelledby", h.id);
    const roots = hat.tables.filter((t) => t.l === hat.top);
    tree.append(...roots.map((t) => table_item(hat, t, 1)));
    box.append(h, facts, ...hat.problems.map((p) => el("p", "mark diff", "≠ " + p)), tree);
    if (tree.firstChild) tree.firstChild.tabIndex = 0;
    trees.set(hat, tree);
    for (const li of [...tree.children]) if (hat.tables.length < 200 || hat.current) expand(li);
  }
}
function focus(li) {
  const tree = li.closest("[role=tree]");
  for (const other of tree.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
  li.tabIndex = 0;
  li.focus({ preventScroll: true });
  li.querySelector(".row").scrollIntoView({ block: "nearest" });
}
const shown = (tree) => [...tree.querySelectorAll("[role=treeitem]")].filter((li) => !li.parentElement.closest("ul[hidden]"));
function move(li, step) {
  const all = shown(li.closest("[role=tree]")), at = all.indexOf(li);
  const to = step === "first" ? all[0] : step === "last" ? all[all.length - 1] : all[at + step];
  if (to) focus(to);
}
const keys = {
  ArrowDown: (li) => move(li, 1), ArrowUp: (li) => move(li, -1), Home: (li) => move(li, "first"), End: (li) => move(li, "last"),
  ArrowRight: (li) => { if (li.getAttribute("aria-expanded") === "true") move(li, 1); else expand(li); },
  ArrowLeft: (li) => { if (li.getAttribute("aria-expanded") === "true") collapse(li); else { const up = li.parentElement.closest("[role=treeitem]"); if (up) focus(up); } },
  Enter: (li) => toggle(li), " ": (li) => toggle(li), "*": (li) => open_all(li),
};
const toggle = (li) => (li.getAttribute("aria-expanded") === "true" ? collapse(li) : expand(li));
function open_all(li) {
  const todo = [li];
  for (let n = 0; todo.length && n < 2000; n++) { // a whole kernel's worth at once would take the page seconds
    const next = todo.pop();
    expand(next);
    todo.push(...next.querySelectorAll(":scope > ul > [aria-expanded=false]"));
  }
}
document.getElementById("trees").addEventListener("keydown", (event) => {
  const li = event.target.closest("[role=treeitem]");
  if (!li || !keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  keys[event.key](li);
});
document.getElementById("trees").addEventListener("click", (event) => {
  const li = event.target.closest("[role=treeitem]");
  if (!li) return;
  toggle(li);
  focus(li);
});

// ------------------------------------------------------------------------------------------------------------ search

function clear_path() {
  for (const old of document.querySelectorAll(".row.path")) { old.classList.remove("path"); old.querySelector(".mark.path")?.remove(); }
}
function light(hat, key) {
  const li = trees.get(hat).querySelector(`[data-key="${key}"]`);
  if (!li) return null;
  const r = li.querySelector(".row");
  r.classList.add("path");
  r.lastChild.append(el("span", "mark path", "▶ on the path"));
  return li;
}
// Open a table's row from the root down; the row.
function reveal(hat, table, first) {
  const chain = [table];
  for (let level = table.l + 1; level <= hat.top; level++) {
    const up = hat.index.get(key_of(level, table_base(big(table.b), level)));
    if (up) chain.unshift(up);
  }
  let li = null;
  for (const t of chain) {
    li = trees.get(hat).querySelector(`[data-key="${t.l}:${t.b}"]`);
    if (!li) return null;
    expand(li);
  }
  return first === undefined ? li : trees.get(hat).querySelector(`[data-key="${table.l}:${table.b}#${first}"]`) || li;
}
// The hat's own tables as far as they go; what it shares with the kernel stands in the kernel's tree.
function walk(hat, address) {
  const steps = [];
  for (let level = hat.top; level >= 0; level--) {
    const base = table_base(address, level), own = hat.index.get(key_of(level, base)), table = own || table_at(hat, level, base);
    if (!table) break;
    const index = index_of(address, level);
    let run = run_at(table, index);
    if (run && run[2] === "copy" && kernel) run = run_at(kernel.index.get(key_of(level, base)) || table, index);
    steps.push({ hat: own ? hat : kernel, table, index, run });
    if (!run || run[2] !== "table") break;
  }
  return steps;
}
function entry_at(step) {
  const [first, , kind, entry] = step.run;
  const by = kind === "leaf" && (step.table.l === 0 || data.levels[step.table.l].large) ? BigInt(step.index - first) * span(step.table.l) : 0n;
  return big(entry || "0") + by;
}
function find_virtual(address) {
  if (address >> (data.mode === "long" ? 64n : 32n)) return `0x${address.toString(16)} is wider than an address`;
  const upper = address >> 47n;
  if (data.mode === "long" && upper !== 0n && upper !== 0x1ffffn) return `${va(address)} is not canonical: bits 47 to 63 must be equal`;
  const said = [];
  for (const hat of chosen()) {
    const steps = walk(hat, address);
    if (!steps.length) continue;
    for (const s of steps) reveal(s.hat, s.table, s.run ? s.run[0] : undefined);
    for (const s of steps) light(s.hat, `${s.table.l}:${s.table.b}`);
    const end = steps[steps.length - 1];
    if (end.run) light(end.hat, `${end.table.l}:${end.table.b}#${end.run[0]}`);
    said.push(`hat 0x${hat.addr}: ` + steps.map((s) => `level ${s.table.l} [${s.index}]`).join(" → ") + " → " + result_of(end, address));
  }
  return said.join("\n") || `nothing translates ${va(address)}`;
}
function result_of(step, address) {
  if (!step.run) return "entry is empty";
  if (step.run[2] !== "leaf") return step.run[2] === "table" ? "the table is not there" : "odd entry 0x" + step.run[3];
  const size = span(step.table.l), frame = frame_of(entry_at(step).toString(16), step.table.l, true);
  return `${pa(frame + (address & (size - 1n)))} ${data.levels[step.table.l].size} ${step.run[5]}`;
}
function find_physical(address) {
  const said = [], frame = address >> 12n;
  for (const hat of data.hats) for (const table of hat.tables) {
    if (big(table.pa) >> 12n === frame) {
      reveal(hat, table);
      light(hat, table.l + ":" + table.b);
      said.push(`it is the table of level ${table.l} over ${va(big(table.b))} in hat 0x${hat.addr}`);
    }
    for (const run of table.runs) {
      if (run[2] !== "leaf" || !run[3]) continue;
      const at = frame_of(run[3], table.l, true), bytes = BigInt(run[1] - run[0] + 1) * span(table.l);
      if (address < at || address >= at + bytes) continue;
      if (said.length < 50) { reveal(hat, table, run[0]); light(hat, `${table.l}:${table.b}#${run[0]}`); }
      said.push(`mapped at ${va(covers(table.l, big(table.b), run[0]) + address - at)} in hat 0x${hat.addr} ${run[5]}`);
    }
  }
  return said.join("\n") || `nothing maps ${pa(address)}, and no table lies there`;
}
// A virtual address means something else in each hat: the one in CR3, and those that have tables for it.
const chosen = () => data.hats;
function search(event) {
  if (event) event.preventDefault();
  const text = document.getElementById("address").value.trim().replace(/_/g, ""), out = document.getElementById("found");
  const started = performance.now();
  clear_path();
  if (!text) { out.textContent = ""; return; }
  if (!/^(0x)?[0-9a-f]+$/i.test(text)) { out.textContent = `"${text}" is no address: type hexadecimal digits, as in 0x40001000`; return; }
  const address = big(text.replace(/^0x/i, ""));
  const physical = document.querySelector("input[name=kind]:checked").value === "physical";
  out.textContent = physical ? find_physical(address) : find_virtual(address);
  document.querySelector(".row.path")?.scrollIntoView({ block: "center" });
  out.dataset.ms = (performance.now() - started).toFixed(1);
}
document.getElementById("search").addEventListener("submit", search);

// ------------------------------------------------------------------------------------------------------ around the tree

function draw_head() {
  const title = `${data.flavor}, checkpoint ${data.checkpoint}` + (data.changes ? ` since ${data.changes.since}` : "");
  document.title = "hatlab: " + title;
  document.getElementById("title").textContent = title;
  const tables = data.hats.reduce((n, h) => n + h.tables.length, 0);
  document.getElementById("facts").textContent = `${data.mode} mode, CPU ${data.cpu}, CR3 ${pa(big(data.cr3))}, ${data.hats.length} address spaces, ${tables} tables` +
    (data.args ? `; booted with ${data.args}` : "");
  const bad = data.hats.reduce((n, h) => n + h.differences.length + h.problems.length, data.problems.length), v = document.getElementById("verdict");
  v.className = data.ok ? "good" : "bad";
  v.textContent = data.ok ? "= The kernel, Bochs and memory agree." : `≠ The witnesses disagree: ${bad} ${bad === 1 ? "difference" : "differences"}.`;
}
function draw_differences() {
  const list = document.getElementById("difference-list");
  for (const p of data.problems) list.append(el("li", "", p));
  for (const hat of data.hats) for (const d of hat.differences) {
    const li = el("li"), button = el("button", "", `≠ hat 0x${hat.addr}: show entry ${d.i} of the level ${d.l} table`);
    button.addEventListener("click", () => { const t = hat.index.get(d.l + ":" + d.b), r = t && reveal(hat, t, d.i); if (r) focus(r); });
    li.append(button, el("pre", "", d.text.join("\n")));
    list.append(li);
  }
  document.getElementById("differences").hidden = !list.children.length;
}
function draw_changes() {
  if (!data.changes) return;
  document.getElementById("changes").hidden = false;
  document.getElementById("h-change").textContent = `Changed since checkpoint ${data.changes.since}`;
  const list = document.getElementById("change-list"), say = (mark, text, cls) => { const li = el("li"); li.append(el("span", "mark " + cls, mark), " " + text); list.append(li); };
  for (const addr of data.changes.new) say("+ new", `hat 0x${addr}`, "new");
  for (const addr of data.changes.gone) say("− gone", `hat 0x${addr}`, "diff");
  for (const hat of data.hats) {
    const all = Object.entries(hat.changed), n = (what) => all.filter(([, c]) => c.what === what).length;
    if (all.length) say("~ changed", `hat 0x${hat.addr}: ${n("new")} tables new, ${n("gone")} gone, ${n("changed")} changed`, "changed");
    for (const [key, c] of all) if (c.what === "gone") say("− gone", `level ${key.split(":")[0]} table over ${va(big(key.split(":")[1]))}, frame ${pa(big(c.pa))}`, "diff");
  }
  if (!list.children.length) list.append(el("li", "", "nothing"));
  document.getElementById("only-changed").addEventListener("change", draw_trees);
}
function draw_memory() {
  const NS = "http://www.w3.org/2000/svg", row_frames = 256, cell = 4, height = 10;
  const last = data.memory.reduce((n, [at, count]) => Math.max(n, at + count), 0), rows = Math.ceil(last / row_frames);
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 0 ${row_frames * cell} ${rows * height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Map of physical memory; the table below says the same in words");
  const names = new Map(data.uses.map(([use, letter, text]) => [use, [letter, text]]));
  for (const [at, count, use] of data.memory) for (let f = at; f < at + count; ) {
    const x = f % row_frames, n = Math.min(row_frames - x, at + count - f), r = document.createElementNS(NS, "rect");
    for (const [k, v] of [["x", x * cell], ["y", Math.floor(f / row_frames) * height], ["width", n * cell], ["height", height - 1], ["class", "u-" + use]]) r.setAttribute(k, v);
    const title = document.createElementNS(NS, "title");
    title.textContent = `${pa(BigInt(f) << 12n)}-${pa((BigInt(f + n) << 12n) - 1n)}: ${names.get(use)[1]}`;
    r.append(title);
    svg.append(r);
    if ((use === "table" || use === "shared") && n === 1) { // a shape besides the colour
      const dot = document.createElementNS(NS, "circle");
      for (const [k, v] of [["cx", x * cell + cell / 2], ["cy", Math.floor(f / row_frames) * height + height / 2], ["r", 1.4]]) dot.setAttribute(k, v);
      svg.append(dot);
    }
    f += n;
  }
  document.getElementById("memory").append(svg);
  const body = document.querySelector("#uses tbody");
  for (const [use, letter, text] of data.uses) {
    const runs = data.memory.filter((m) => m[2] === use), tr = el("tr"), mark = el("td"), where = el("td", "where");
    mark.append(el("span", "swatch u-" + use, letter));
    const told = runs.slice(0, 24).map(([at, n]) => `0x${at.toString(16)}${n > 1 ? "-0x" + (at + n - 1).toString(16) : ""}`);
    where.textContent = told.join(" ") + (runs.length > told.length ? ` and ${runs.length - told.length} more runs` : "");
    tr.append(mark, el("td", "", text), el("td", "", String(runs.reduce((n, m) => n + m[1], 0))), where);
    body.append(tr);
  }
}
draw_head();
draw_differences();
draw_changes();
draw_trees();
draw_memory();
