// ------------------------------------------------------------------------------------------------------------ search

const PATHS_SHOWN = 12;  // further ones are counted

let opened = [];  // what the last search has opened: the next one closes it, or the page would fill up

function clear_path() {
  opened.forEach(collapse);
  opened = [];
  for (const old of document.querySelectorAll(".row.path")) { old.classList.remove("path"); old.querySelector(".mark.path").remove(); }
}
function light(li) {
  const r = li.querySelector(".row");
  if (r.classList.contains("path")) return;
  r.classList.add("path");
  r.lastChild.append(el("span", "mark path", "▶ path"));
}
// Open a table from the root down, and the row of one of its runs; all the rows passed.
function reveal(hat, table, first) {
  const passed = [], known = items.get(hat);
  for (let level = hat.top; level >= table.l; level--) {
    const up = hat.index.get(level === table.l ? key_of_table(table) : key_of(level, table_base(big(table.b), level)));
    if (!up) continue;
    const key = key_of_table(up), near = level === table.l ? first : index_of(big(table.b), level);
    if (!known.has(key) && passed.length) fill_rest(passed[passed.length - 1]);
    const li = known.get(key);
    if (!li) continue;
    if (!is_open(li)) { expand(li, near); opened.push(li); }
    passed.push(li);
  }
  if (first === undefined) return passed;
  const key = `${key_of_table(table)}#${first}`;
  if (!known.has(key) && passed.length) fill_rest(passed[passed.length - 1]);
  const run = known.get(key);
  return run ? [...passed, run] : passed;
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
function result_of(step, address) {
  if (!step.run) return "the entry is empty";
  if (step.run[2] !== "leaf") return step.run[2] === "table" ? "the table is not there" : "odd entry 0x" + step.run[3];
  const size = span(step.table.l), frame = frame_of(entry_at(step).toString(16), step.table.l, true);
  return `0x${(frame + (address & (size - 1n))).toString(16)} ${data.levels[step.table.l].size} ${step.run[5]}`;
}
function refusal(address) {
  if (address >> (data.mode === "long" ? 64n : 32n)) return `0x${address.toString(16)} is wider than an address`;
  const upper = address >> 47n;
  return data.mode === "long" && upper !== 0n && upper !== 0x1ffffn ? `${va(address)} is not canonical: bits 47 to 63 must be equal` : "";
}
// A virtual address means something else in each hat. Lit are the ways that end in a page; where none does, how far each one leads.
function find_virtual(address) {
  if (refusal(address)) return refusal(address);
  const ways = data.hats.map((hat) => [hat, walk(hat, address)]).filter(([, steps]) => steps.length);
  const whole = ways.filter(([, steps]) => { const { run } = steps[steps.length - 1]; return run && run[2] === "leaf"; });
  for (const [, steps] of (whole.length ? whole : ways).slice(0, PATHS_SHOWN)) {
    const end = steps[steps.length - 1];
    reveal(end.hat, end.table, end.run ? end.run[0] : undefined).forEach(light);
    for (const s of steps) if (s.hat !== end.hat) reveal(s.hat, s.table).forEach(light);  // where it goes on in the kernel's tree
  }
  const lines = ways.map(([hat, steps]) => `hat 0x${hat.addr}: ` + steps.map((s) => `level ${s.table.l} [${s.index}]`).join(" → ") +
    " → " + result_of(steps[steps.length - 1], address));
  return lines.join("\n") || `nothing translates ${va(address)}`;
}
// Where a run starts in physical memory. The low 52 bits fit a script's numbers, which are much faster than its large ones.
function run_start(run, level) {
  if (run[7] === undefined) {
    const size = 2 ** data.levels[level].shift, low = parseInt(run[3].slice(-13), 16);
    run[7] = data.mode === "nonpae" && level ? Number(frame_of(run[3], level, true)) : low - low % size;
  }
  return run[7];
}
function find_physical(address) {
  const said = [], at = Number(address);
  let shown = 0;
  const show = (hat, table, first) => { if (shown++ < PATHS_SHOWN) reveal(hat, table, first).forEach(light); };
  for (const hat of data.hats) for (const table of hat.tables) {
    if (table.pa.slice(0, -3) === address.toString(16).slice(0, -3)) {
      show(hat, table);
      said.push(`the table of level ${table.l} over ${va(big(table.b))} in hat 0x${hat.addr}`);
    }
    for (const run of table.runs) {
      if (run[2] !== "leaf" || !run[3]) continue;
      const start = run_start(run, table.l);
      if (at < start || at >= start + (run[1] - run[0] + 1) * 2 ** data.levels[table.l].shift) continue;
      show(hat, table, run[0]);
      said.push(`mapped at ${va(covers(table.l, big(table.b), run[0]) + address - BigInt(start))} in hat 0x${hat.addr} ${run[5]}`);
    }
  }
  if (!said.length) return `nothing maps 0x${address.toString(16)}, and no table lies there`;
  const more = said.length - PATHS_SHOWN;
  return said.slice(0, PATHS_SHOWN).join("\n") + (more > 0 ? `\nand ${more} more` : "");
}
function answer(text) {
  const digits = text.trim().replace(/_/g, "").replace(/^0x/i, "");
  if (!digits) return "";
  if (!/^[0-9a-f]+$/i.test(digits)) return `"${text}" is no address: type hexadecimal digits, as in 0x40001000`;
  const physical = document.querySelector("input[name=kind]:checked").value === "physical";
  if (physical && big(digits) >> 52n) return `0x${digits} is wider than a physical address`;
  return physical ? find_physical(big(digits)) : find_virtual(big(digits));
}
function search(event) {
  event.preventDefault();
  const out = document.getElementById("found"), started = performance.now();
  clear_path();
  out.textContent = answer(document.getElementById("address").value);
  const lit = document.querySelectorAll(".row.path");
  if (lit.length) lit[lit.length - 1].scrollIntoView({ block: "center" });
  out.dataset.ms = (performance.now() - started).toFixed(1);
}
document.getElementById("search").addEventListener("submit", search);
