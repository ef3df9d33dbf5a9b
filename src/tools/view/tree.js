// -------------------------------------------------------------------------------------------------------------- rows
// A row is a treeitem: the kernel's side, then memory's. What lies below is made when it is opened.

let rows = 0;
const only_changed = () => document.getElementById("only-changed").checked;
const quiet = (text) => el("span", "dim", text);
const same = () => el("span", "same", " = same");

function item(depth, cls, left, right, open) {
  const li = el("li"), r = el("div", "row" + (cls ? " " + cls : "")), l = el("span"), m = el("span"), twist = el("span", "twist", open ? "▸" : "");
  li.setAttribute("role", "treeitem");
  li.setAttribute("aria-level", depth);
  li.setAttribute("aria-labelledby", r.id = "row-" + rows++);  // its own words, not those of everything below
  li.tabIndex = -1;
  twist.setAttribute("aria-hidden", "true");
  l.append(twist, el("span", "unseen", "kernel: "), ...left);
  m.append(el("span", "unseen", "memory: "), ...right);
  r.append(l, m);
  li.append(r);
  if (open) { li.setAttribute("aria-expanded", "false"); li.open_with = open; }
  return li;
}
function table_item(hat, table, depth, slot) {
  const left = [], k = table.k, right = [];
  if (slot) left.push(quiet(`[${slot[0]}] `));
  left.push(`level ${table.l} ${va(big(table.b))}-${va(big(table.e))} `, ...told(table), ...table_marks(hat, table));
  right.push(table.in ? (table.pa.endsWith("000") ? `frame 0x${table.pa.slice(0, -3)}` : `at 0x${table.pa}`) : "no table in memory");
  if (slot) right.push(` entry 0x${slot[3]} ${data.mode === "pae" && slot[2] === "table" && table.l === 1 ? "" : slot[5]}`);
  const whole = table.in && (k || hat.name === "boot");
  if (whole && !(hat.weight.get(key_of_table(table)) || {}).bad) right.push(same());
  if (!whole) right.push(el("span", "mark diff", k ? "≠ only the kernel has it" : "≠ only memory has it"));
  const li = item(depth, whole ? "" : "diff", left, right, () => runs_of(hat, table, depth + 1));
  li.dataset.key = key_of_table(table);
  if (k) li.about = about(k);
  return li;
}
function run_item(hat, table, run, depth, changed) {
  const [first, last, kind, entry, claim, text, mark] = run, base = big(table.b), left = [], right = [];
  left.push(quiet(slots_text(first, last) + " "), range_text(table.l, base, first, last));
  const size = data.levels[table.l].size;
  if (kind === "copy") { left.push(" as in the kernel's table"); right.push(same()); }
  else if (mark === "diff") {
    left.push(` entry 0x${claim}`);
    right.push(`entry 0x${entry} `, kind === "leaf" ? `${size} ${text}` : kind, el("span", "mark diff", "≠ differs"));
  } else {
    left.push(kind === "leaf" ? ` → 0x${frame_of(entry, table.l, true).toString(16)} ${size} ${text}` : ` ${kind}`);
    right.push(`entry 0x${entry}` + (first === last ? "" : " …"), same());
  }
  const name = kind === "leaf" && window_name(table, first);
  if (name) left.push(el("span", "mark window", "⊞ " + name));
  if (changed.length) right.push(el("span", "mark changed", "~ " + (changed.length === 1 ? was(changed[0]) : `${changed.length} entries changed`)));
  const li = item(depth, mark === "diff" ? "diff" : "", left, right, null);
  li.dataset.key = `${key_of_table(table)}#${first}`;
  if (kind === "leaf" && text) li.setAttribute("aria-description", meaning(text));
  return li;
}
const was = ([, before]) => (before === "0" ? "was empty" : `was 0x${before}`);
// Neighbours that were in use at the earlier checkpoint and are empty now.
function emptied_item(table, stretch, depth) {
  const first = stretch[0][0], last = stretch[stretch.length - 1][0];
  return item(depth, "", [quiet(slots_text(first, last) + " "), range_text(table.l, big(table.b), first, last), " empty"],
    ["empty", el("span", "mark gone", `− was 0x${stretch[0][1]}${first === last ? "" : " …"}`)], null);
}
function emptied(table, changed) {
  const found = [];
  for (const entry of changed) {
    if (run_at(table, entry[0])) continue;
    const open = found[found.length - 1];
    if (open && open[open.length - 1][0] + 1 === entry[0]) open.push(entry); else found.push([entry]);
  }
  return found;
}
// What stands in a table, in order: [index, how to make its row].
function runs_of(hat, table, depth) {
  const found = [], entries = (hat.changed[key_of_table(table)] || {}).entries || [];
  for (const run of table.runs) {
    const child = run[2] === "table" && hat.index.get(key_of(table.l - 1, covers(table.l, big(table.b), run[0])));
    const changed = entries.length ? entries.filter(([i]) => run[0] <= i && i <= run[1]) : entries;
    if (only_changed() && !(child && hat.weight.get(key_of_table(child))) && !changed.length && run[6] !== "diff") continue;
    if (child && run[6] !== "diff") found.push([run[0], () => table_item(hat, child, depth, run)]);
    else {
      found.push([run[0], () => run_item(hat, table, run, depth, changed)]);
      if (child) found.push([run[0], () => table_item(hat, child, depth)]);
    }
  }
  for (const stretch of emptied(table, entries)) found.push([stretch[0][0], () => emptied_item(table, stretch, depth)]);
  found.sort((a, b) => a[0] - b[0]);
  for (const t of orphans(hat, table)) found.push([Infinity, () => table_item(hat, t, depth)]);
  return found.length ? found : [[0, () => item(depth, "", [quiet(only_changed() ? "nothing has changed here" : "empty")], [""], null)]];
}

// ----------------------------------------------------------------------------------------------------------- opening

const NEAR = 24;  // so many rows on either side of what a search leads to are made at once
function made(hat, makers) {
  return makers.map(([, make]) => {
    const li = make();
    if (li.dataset.key) items.get(hat).set(li.dataset.key, li);
    return li;
  });
}
// One row instead of many that are not made yet.
function rest(hat, makers, depth) {
  if (!makers.length) return [];
  const li = item(depth, "rest", [quiet(`${makers.length} more rows (Enter)`)], [""], null);
  li.fill = () => {
    const list = made(hat, makers), had = document.activeElement === li;
    li.replaceWith(...list);
    if (had || li.tabIndex === 0) focus(list[0]);
    return list.length;
  };
  return [li];
}
const fill_rest = (li) => [...li.querySelectorAll(":scope > ul > li")].reduce((n, child) => n + (child.fill ? child.fill() : 0), 0);
// Open a row; where `near` is an entry of a long table, only its neighbourhood. How many rows were made.
function expand(li, near) {
  if (li.fill) return li.fill();
  if (!li.open_with || li.getAttribute("aria-expanded") === "true") return 0;
  let group = li.querySelector(":scope > ul");
  if (!group) {
    const makers = li.open_with(), hat = hat_of(li), depth = Number(li.getAttribute("aria-level")) + 1;
    const at = makers.length > 4 * NEAR && near !== undefined ? makers.findIndex(([index]) => index >= near) : -1;
    const from = at < 0 ? 0 : Math.max(0, at - NEAR), to = at < 0 ? makers.length : at + NEAR;
    group = el("ul");
    group.setAttribute("role", "group");
    group.append(...rest(hat, makers.slice(0, from), depth), ...made(hat, makers.slice(from, to)), ...rest(hat, makers.slice(to), depth));
    li.append(group);
  }
  group.hidden = false;
  li.setAttribute("aria-expanded", "true");
  li.querySelector(".twist").textContent = "▾";
  return group.children.length;
}
function collapse(li) {
  const group = li.querySelector(":scope > ul");
  if (!group) return;
  group.hidden = true;
  li.setAttribute("aria-expanded", "false");
  li.querySelector(".twist").textContent = "▸";
}
const toggle = (li) => (li.getAttribute("aria-expanded") === "true" ? collapse(li) : expand(li));
const ROWS_AT_ONCE = 5000;  // more would take the page seconds
function open_all(li) {
  const todo = [li];
  for (let rows = 0; todo.length && rows < ROWS_AT_ONCE; ) {
    const next = todo.pop();
    rows += expand(next) + fill_rest(next);
    todo.push(...next.querySelectorAll(":scope > ul > [aria-expanded=false]"));
  }
}

// ------------------------------------------------------------------------------------------------------------- trees

const trees = new Map();  // hat: its list
const items = new Map();  // hat: by "level:base" or "level:base#first", the rows that have been made
const hat_of = (li) => li.closest("[role=tree]").hat;
function hat_head(hat) {
  const h = el("h3", "", `hat 0x${hat.addr}, ${hat.name}${hat.flags.length ? " (" + hat.flags.join(", ") + ")" : ""}`);
  if (data.changes && data.changes.new.includes(hat.addr)) h.append(el("span", "mark new", "+ new"));
  h.id = "hat-" + hat.addr;
  const cpus = hat.cpus === "0" ? "in use on no CPU" : `in use on CPUs 0x${hat.cpus}`;
  const facts = el("p", "help", `${hat.tables.length} tables; pages by level, from 0: ${hat.pages.join(", ")}; root ${pa(big(hat.root))}; ${cpus}` +
    (hat.current ? "; CR3 holds it, so Bochs' own translation is the third witness" : ""));
  return [h, facts, ...hat.problems.map((p) => el("p", "mark diff", "≠ " + p))];
}
function draw_tree(hat) {
  const tree = el("ul"), heads = el("div", "row heads");
  tree.setAttribute("role", "tree");
  tree.setAttribute("aria-labelledby", "hat-" + hat.addr);
  tree.hat = hat;
  heads.setAttribute("aria-hidden", "true");
  heads.append(el("span", "", "as the kernel describes it"), el("span", "", "as it is in memory"));
  trees.set(hat, tree);
  items.set(hat, new Map());
  for (const table of hat.tables.filter((t) => t.l === hat.top)) {
    const li = table_item(hat, table, 1);
    tree.append(li);
    items.get(hat).set(li.dataset.key, li);
    if (hat.tables.length < 200 || hat.current) expand(li);
  }
  if (tree.firstChild) tree.firstChild.tabIndex = 0;
  return [heads, tree];
}
function draw_trees() {
  document.getElementById("trees").replaceChildren(...data.hats.flatMap((hat) => [...hat_head(hat), ...draw_tree(hat)]));
}

// ---------------------------------------------------------------------------------------------------- keys and mouse

function focus(li) {
  for (const other of li.closest("[role=tree]").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
  li.tabIndex = 0;
  li.focus({ preventScroll: true });
  li.querySelector(".row").scrollIntoView({ block: "nearest" });
}
const is_open = (li) => li.getAttribute("aria-expanded") === "true";
const above = (li) => li.parentElement.closest("[role=treeitem]");
const last_of = (li) => { while (is_open(li)) li = li.querySelector(":scope > ul").lastElementChild; return li; };
function next(li) {
  if (is_open(li)) return li.querySelector(":scope > ul").firstElementChild;
  for (; li; li = above(li)) if (li.nextElementSibling) return li.nextElementSibling;
  return null;
}
const previous = (li) => (li.previousElementSibling ? last_of(li.previousElementSibling) : above(li));
const go = (li) => { if (li) focus(li); };
const keys = {
  ArrowDown: (li) => go(next(li)), ArrowUp: (li) => go(previous(li)),
  Home: (li) => go(li.closest("[role=tree]").firstElementChild), End: (li) => go(last_of(li.closest("[role=tree]").lastElementChild)),
  ArrowRight: (li) => (is_open(li) ? go(next(li)) : expand(li)), ArrowLeft: (li) => (is_open(li) ? collapse(li) : go(above(li))),
  Enter: (li) => toggle(li), " ": (li) => toggle(li), "*": (li) => open_all(li),
};
document.getElementById("trees").addEventListener("focusin", ({ target: li }) => {
  document.querySelector(".about")?.remove();
  if (li.about) li.querySelector(".row > span").append(el("span", "about", li.about));
});
document.getElementById("trees").addEventListener("keydown", (event) => {
  const li = event.target.closest("[role=treeitem]");
  if (!li || !keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  keys[event.key](li);
});
document.getElementById("trees").addEventListener("click", (event) => {
  const li = event.target.closest("[role=treeitem]");
  if (!li || String(getSelection())) return;  // whoever marks text to copy it opens nothing
  toggle(li);
  if (li.isConnected) focus(li);
});
