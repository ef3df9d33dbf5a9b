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
    button.addEventListener("click", () => { const t = hat.index.get(d.l + ":" + d.b); if (t) go(reveal(hat, t, d.i).pop()); });
    li.append(button, el("pre", "", d.text.join("\n")));
    list.append(li);
  }
  document.getElementById("differences").hidden = !list.children.length;
}

// ----------------------------------------------------------------------------------------------------------- changes

const GONE_SHOWN = 40;
function hat_changes(hat, say) {
  const all = Object.entries(hat.changed), of = (what) => all.filter(([, c]) => c.what === what);
  if (all.length) say("~ changed", `hat 0x${hat.addr}, ${hat.name}: ${of("new").length} tables new, ${of("gone").length} gone, ${of("changed").length} changed`, "changed");
  const gone = of("gone");
  for (const [key, c] of gone.slice(0, GONE_SHOWN)) {
    const [level, base] = key.split(":");
    say("− gone", `level ${level} table over ${va(big(base))}, was in frame 0x${c.pa.slice(0, -3)}`, "gone");
  }
  if (gone.length > GONE_SHOWN) say("− gone", `${gone.length - GONE_SHOWN} more tables`, "gone");
}
function draw_changes() {
  if (!data.changes) return;
  document.getElementById("changes").hidden = false;
  document.getElementById("h-change").textContent = `Changed since checkpoint ${data.changes.since}`;
  const list = document.getElementById("change-list");
  const say = (mark, text, cls) => { const li = el("li"); li.append(el("span", "mark " + cls, mark), " " + text); list.append(li); };
  for (const addr of data.changes.new) say("+ new", `hat 0x${addr}`, "new");
  for (const addr of data.changes.gone) say("− gone", `hat 0x${addr}`, "gone");
  for (const hat of data.hats) hat_changes(hat, say);
  if (!list.children.length) list.append(el("li", "", "nothing"));
  document.getElementById("only-changed").addEventListener("change", draw_trees);
}

// --------------------------------------------------------------------------------------------------- physical memory

const FRAMES = 256, CELL = 4, HEIGHT = 12, LABEL = 100, FOLD_ROWS = 3;
function svg_of(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
// The shape of each use, once a frame, besides its colour.
const SHAPES = { windows: "M1 3h2v5h-2z", table: "M1 4h2v3h-2z", shared: "M.6 3l2.8 5M3.4 3l-2.8 5", window: "M.6 2.5h2.8v6h-2.8z", user: "M0 11L4 0", kernel: "M1.5 5.5h1" };
function patterns() {
  const defs = svg_of("defs", {});
  for (const [use] of data.uses) {
    const p = svg_of("pattern", { id: "p-" + use, width: CELL, height: HEIGHT, patternUnits: "userSpaceOnUse" });
    p.append(svg_of("rect", { width: CELL, height: HEIGHT - 1, class: "u-" + use }));
    if (SHAPES[use]) p.append(svg_of("path", { d: SHAPES[use], class: "shape s-" + use }));
    defs.append(p);
  }
  return defs;
}
// Rows of 1 MiB as lists of [column, frames, use].
function memory_rows() {
  const found = [];
  for (const [at, count, use] of data.memory) for (let f = at; f < at + count; ) {
    const x = f % FRAMES, n = Math.min(FRAMES - x, at + count - f), y = Math.floor(f / FRAMES);
    (found[y] = found[y] || []).push([x, n, use]);
    f += n;
  }
  return found;
}
// Rows that are all of one use and follow each other are one.
function folded(list) {
  const found = [], whole = (row) => (row.length === 1 && row[0][1] === FRAMES ? row[0][2] : null);
  for (let y = 0; y < list.length; ) {
    let n = 1;
    while (whole(list[y]) && y + n < list.length && whole(list[y + n]) === whole(list[y])) n++;
    if (n < FOLD_ROWS) n = 1;
    found.push({ y, n, row: list[y] });
    y += n;
  }
  return found;
}
const use_text = (use) => data.uses.find(([name]) => name === use)[2];
function memory_row(svg, { y, n, row }, at) {
  const address = (f) => "0x" + (BigInt(f) << 12n).toString(16).padStart(8, "0"), top = at * HEIGHT;
  svg.append(svg_of("text", { x: 0, y: top + 9.5 }, address(y * FRAMES)));
  for (const [x, count, use] of row) {
    const rect = svg_of("rect", { x: LABEL + x * CELL, y: top, width: count * CELL, height: HEIGHT - 1, fill: `url(#p-${use})` }), f = y * FRAMES + x;
    rect.append(svg_of("title", {}, `${address(f)}-0x${((BigInt(f + count + (n - 1) * FRAMES) << 12n) - 1n).toString(16).padStart(8, "0")}: ${use_text(use)}`));
    svg.append(rect);
  }
  if (n > 1) svg.append(svg_of("text", { x: LABEL + FRAMES * CELL / 2, y: top + 9.5, "text-anchor": "middle", class: "fold" }, `${n} rows alike: ${use_text(row[0][2])}`));
}
function draw_memory() {
  const list = folded(memory_rows());
  const svg = svg_of("svg", { viewBox: `0 0 ${LABEL + FRAMES * CELL} ${list.length * HEIGHT}`, role: "img", "aria-labelledby": "h-mem", "aria-describedby": "uses" });
  svg.append(patterns());
  list.forEach((one, at) => memory_row(svg, one, at));
  document.getElementById("memory").append(svg);
  const body = document.querySelector("#uses tbody");
  for (const [use, letter, text] of data.uses) body.append(use_row(use, letter, text));
}
function use_row(use, letter, text) {
  const runs = data.memory.filter((m) => m[2] === use), tr = el("tr"), mark = el("td"), swatch = svg_of("svg", { width: 24, height: 12, "aria-hidden": "true" });
  swatch.append(svg_of("rect", { width: 24, height: 11, fill: `url(#p-${use})`, class: "edge" }));
  mark.append(swatch, " " + letter);
  const told = runs.slice(0, 24).map(([at, n]) => `0x${at.toString(16)}${n > 1 ? "-0x" + (at + n - 1).toString(16) : ""}`);
  const frames = runs.reduce((n, m) => n + m[1], 0), before = data.changes && data.changes.memory[use], tell = el("td", "", String(frames));
  if (data.changes && before !== frames) tell.append(el("span", "mark changed", `~ was ${before}`));
  tr.append(mark, el("td", "", text), tell, el("td", "where", told.join(" ") + (runs.length > told.length ? ` and ${runs.length - told.length} more runs` : "")));
  return tr;
}
function draw_windows() {
  document.getElementById("windows").hidden = !data.windows.length;
  for (const [index, name, at, to, text] of data.windows) {
    const tr = el("tr");
    tr.append(el("td", "", String(index)), el("td", "", name), el("td", "where", va(big(at))), el("td", "where", "0x" + to), el("td", "where", text));
    document.querySelector("#windows tbody").append(tr);
  }
}
draw_head();
draw_differences();
draw_changes();
draw_trees();
draw_memory();
draw_windows();
requestAnimationFrame(() => setTimeout(() => { document.documentElement.dataset.drawn = performance.now().toFixed(1); }));  // when it is on the screen
