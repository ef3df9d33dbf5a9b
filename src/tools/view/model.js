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
const key_of_table = (table) => table.l + ":" + table.b;
const key_of = (level, base) => level + ":" + base.toString(16);

for (const hat of data.hats) {
  hat.index = new Map(hat.tables.map((t) => [key_of_table(t), t]));
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
  const changed = hat.changed[key_of_table(table)] ? 1 : 0;
  if (!bad && !changed) continue;
  const add = (key) => { const w = hat.weight.get(key) || { bad: 0, changed: 0 }; w.bad += bad; w.changed += changed; hat.weight.set(key, w); };
  add(key_of_table(table));
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
const slots_text = (first, last) => (first === last ? `[${first}]` : `[${first}-${last}]`);
// What the kernel says of a table; where its description lies is told in the row that has the focus.
const about = (k) => ` ht 0x${k.addr}` + (k.parent ? ` parent 0x${k.parent}` : "");
function told(table) {
  const k = table.k;
  if (!k) return ["the kernel knows no table here"];
  const frame = k.pfn === null ? "inside the hat" : `frame 0x${k.pfn}`, flags = k.flags.length ? " " + k.flags.join(",") : "";
  return [`${frame} `, el("span", "dim", `busy ${k.busy} valid ${k.valid} lock ${k.lock}${flags}`)];
}
function table_marks(hat, table) {
  const key = key_of_table(table), change = hat.changed[key], weight = hat.weight.get(key), found = [];
  if (change) found.push(el("span", "mark " + (change.what === "new" ? "new" : "changed"), change.what === "new" ? "+ new" : "~ " + change_text(change)));
  if (weight && weight.bad) found.push(el("span", "mark diff", `≠ ${weight.bad}`));
  if (weight && weight.changed && !change) found.push(el("span", "mark changed", `~ ${weight.changed} below`));
  if (window_table(table)) found.push(el("span", "mark window", "⊞ windows"));
  return found;
}
// The windows' names stand in the data; their table is the one that covers them.
const window_table = (table) => table.l === 0 && data.windows.length > 0 && table_base(big(data.windows[0][2]), 0) === big(table.b);
const window_name = (table, index) => window_table(table) && (data.windows.find((w) => w[0] === index) || [])[1];
function change_text(change) {
  const parts = Object.entries(change.counts || {}).map(([name, [a, b]]) => `${name} ${a}→${b}`);
  const n = (change.entries || []).length + (change.more || 0);
  if (n) parts.push(n === 1 ? `entry ${change.entries[0][0]}` : `${n} entries`);
  return "changed: " + parts.join(", ");
}

// ---------------------------------------------------------------------------------------------- tables without a link
// Those that one side has and no link in memory leads to.

for (const hat of data.hats) {
  const linked = new Set();
  for (const t of hat.tables) for (const r of t.runs) if (r[2] === "table") linked.add(key_of(t.l - 1, covers(t.l, big(t.b), r[0])));
  hat.unlinked = hat.tables.filter((t) => t.l < hat.top && !linked.has(key_of_table(t)));
}
const orphans = (hat, table) => (table.l ? hat.unlinked.filter((t) => t.l === table.l - 1 && table_base(big(t.b), table.l) === big(table.b)) : []);
