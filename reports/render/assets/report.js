// The page: theme, figure and table export, and the sample browser behind every cell. Text from runs enters the page
// through textContent only. Body of one function, after that of charts.js.

const byId = (id) => document.getElementById(id);
const readJson = (id) => { const at = byId(id); return at ? JSON.parse(at.textContent) : null; };
const make = (tag, text, css) => {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  if (css) element.className = css;
  return element;
};

// ---- theme
const root = document.documentElement;
const setTheme = (dark) => { root.dataset.theme = dark ? "dark" : "light"; drawCharts(); };
const system = window.matchMedia("(prefers-color-scheme: dark)");
root.dataset.theme = system.matches ? "dark" : "light";
system.addEventListener("change", (event) => setTheme(event.matches));

// ---- export
function download(name, type, text) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A copy of a panel's drawing with the page's styles written into its elements.
const kStyles = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size",
                 "font-weight", "text-anchor"];
function standaloneSvg(svg) {
  const copy = svg.cloneNode(true);
  const from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const key of kStyles) to[i].setAttribute(key, style.getPropertyValue(key));
  });
  const box = svg.viewBox.baseVal;
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  const page = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  page.setAttribute("width", "100%");
  page.setAttribute("height", "100%");
  page.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.insertBefore(page, copy.firstChild);
  return new XMLSerializer().serializeToString(copy);
}

// All panels of a figure in one drawing, in the rows the page shows them in.
function figureSvg(figure) {
  const parts = [];
  let width = 0, x = 0, y = 0, rowHeight = 0;
  figure.querySelectorAll("svg[role=img]").forEach((svg) => {
    const box = svg.viewBox.baseVal;
    if (x > 0 && x + box.width > 1100) { x = 0; y += rowHeight + 14; rowHeight = 0; }
    parts.push(standaloneSvg(svg).replace("<svg ", `<svg x="${x}" y="${y}" `));
    x += box.width + 20;
    width = Math.max(width, x);
    rowHeight = Math.max(rowHeight, box.height);
  });
  const size = `width="${width}" height="${y + rowHeight}" viewBox="0 0 ${width} ${y + rowHeight}"`;
  const back = getComputedStyle(document.body).backgroundColor;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="${back}"/>` +
         parts.join("") + "</svg>";
}

function savePng(figure) {
  const svg = figureSvg(figure), image = new Image(), scale = 3;
  image.onload = () => {
    const canvas = make("canvas");
    canvas.width = image.width * scale;
    canvas.height = image.height * scale;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.drawImage(image, 0, 0);
    const link = make("a");
    link.href = canvas.toDataURL("image/png");
    link.download = figure.id + ".png";
    link.click();
  };
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
}

// A text that a spreadsheet would run as a formula gets a ' in front, as in the report's own CSV files.
const csvField = (text) => {
  if (/^[=+\-@\t]/.test(text) && Number.isNaN(Number(text))) text = "'" + text;
  return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
};
function saveTable(table) {
  const lines = [...table.rows].map((row) =>
      [...row.cells].map((cell) => csvField(cell.dataset.v ?? cell.textContent)).join(","));
  download(table.id + ".csv", "text/csv", lines.join("\n") + "\n");
}

// ---- samples
const data = readJson("samples");
const dialog = byId("browser"), list = dialog.querySelector("tbody"), kPage = 100;
let shown = [], page = 0;
let order = { by: null, down: false };  // of the browser's rows; by null: as in the run
const fields = ["run", "model", "mode", "task", "length", "stratum"];
const kIdentity = ["run", "model", "task", "length", "index"];  // of a question, whatever its mode
const selects = {};
let depth = null;
let opened = null;  // the sample whose detail was opened last
const nameOf = (key, i) => key === "run" ? data.run[i] : data[key + "s"][data[key][i]];

function textOf(i) { return (data.prediction[i] + "\n" + data.references[i] + "\n" + (data.error[i] || "")).toLowerCase(); }
const suiteOf = (task) => task.split("/")[0];

function matches(i) {
  if (selects.run.value !== "" && data.run[i] !== Number(selects.run.value)) return false;
  if (selects.model.value !== "" && data.models[data.model[i]] !== selects.model.value) return false;
  if (selects.mode.value !== "" && data.modes[data.mode[i]] !== selects.mode.value) return false;
  const task = data.tasks[data.task[i]], wanted = selects.task.value;
  if (wanted !== "" && task !== wanted && suiteOf(task) !== wanted) return false;
  if (selects.length.value !== "" && data.length[i] !== Number(selects.length.value)) return false;
  const stratum = selects.stratum.value;
  if (stratum !== "" && !data.strata[i].some((at) => data.stratum_names[at] === stratum)) return false;
  if (depth && !(data.depth[i] !== null && data.depth[i] >= depth[0] &&
                 (data.depth[i] < depth[1] || (depth[1] >= 100 && data.depth[i] <= 100)))) return false;
  const kind = byId("outcome").value, score = data.score[i];
  if (kind === "right" && score !== 1) return false;
  if (kind === "wrong" && !(score !== null && score < 1)) return false;
  if (kind === "failed" && data.outcomes[data.outcome[i]] === "ok") return false;
  const query = byId("query").value.toLowerCase();
  return query === "" || textOf(i).includes(query);
}

function refresh() {
  shown = [];
  for (let i = 0; i < data.index.length; ++i) if (matches(i)) shown.push(i);
  if (order.by) {
    shown.sort((a, b) => compareValues(orderValue(a), orderValue(b), order.down) || a - b);
  }
  page = 0;
  opened = null;
  drawPage();
  remember();
}
const kNames = { run: "runs", task: "tasks", mode: "modes" };
const orderValue = (i) => kNames[order.by] ? data[kNames[order.by]][data[order.by][i]] : data[order.by][i];
// Unknown last, numbers by size, texts by their letters.
function compareValues(a, b, down) {
  const none = (value) => value === null || value === undefined || value === "";
  if (none(a) || none(b)) return none(a) - none(b);
  const both = typeof a === "number" && typeof b === "number";
  return (both ? a - b : String(a).localeCompare(String(b))) * (down ? -1 : 1);
}

// The address names what the browser shows, so that it can be passed on; #samples={"mode":"fa"}, with the
// sample that is open.
const kLink = "#samples=";
function remember() {
  const filter = {};
  for (const field of fields) if (selects[field].value !== "") filter[field] = selects[field].value;
  if (depth) filter.depth = depth;
  for (const field of ["outcome", "query"]) if (byId(field).value !== "") filter[field] = byId(field).value;
  if (opened !== null) {
    filter.sample = { run: data.run[opened], model: nameOf("model", opened), mode: nameOf("mode", opened),
                      task: nameOf("task", opened), length: data.length[opened], index: data.index[opened] };
  }
  history.replaceState(null, "", kLink + encodeURIComponent(JSON.stringify(filter)));
}
function followLink() {
  if (!location.hash.startsWith(kLink)) return;
  let filter = null;
  try { filter = JSON.parse(decodeURIComponent(location.hash.slice(kLink.length))); } catch { return; }
  if (filter && typeof filter === "object" && !dialog.open) openSamples(filter);
}

const fixed = (value, digits) => value === null ? "–" : value.toFixed(digits);
function drawPage() {
  list.replaceChildren();
  const pages = Math.max(1, Math.ceil(shown.length / kPage));
  page = Math.min(Math.max(page, 0), pages - 1);
  for (const i of shown.slice(page * kPage, (page + 1) * kPage)) {
    const row = make("tr"), ok = data.outcomes[data.outcome[i]] === "ok";
    if (data.runs.length > 1) row.append(make("td", data.runs[data.run[i]]));
    row.append(make("td", data.tasks[data.task[i]]), make("td", data.modes[data.mode[i]]),
               make("td", data.length[i] || "–", "num"), make("td", data.index[i], "num"),
               ok ? make("td", data.score[i] === null ? "–" : (100 * data.score[i]).toFixed(1),
                         "num " + (data.score[i] === 1 ? "good" : "bad"))
                  : make("td", data.outcomes[data.outcome[i]], "bad"),
               make("td", fixed(data.msr[i], 3), "num"), make("td", fixed(data.prefill[i], 1), "num"),
               make("td", ok ? data.prediction[i] : data.error[i], "cut"), make("td", data.references[i], "cut"));
    row.tabIndex = 0;
    const toggle = () => toggleDetail(row, i);
    row.addEventListener("click", toggle);
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") toggle(); });
    list.append(row);
  }
  byId("shown").textContent = shown.length + (shown.length === 1 ? " sample" : " samples") +
      (depth ? `, needle depth ${depth[0]}-${depth[1]} %` : "") + (pages > 1 ? `, page ${page + 1} of ${pages}` : "");
}

// The answers of all modes to one question, side by side; the one that was opened first.
function answers(i) {
  const sides = make("div", null, "sides");
  const same = (j) => kIdentity.every((key) => data[key][j] === data[key][i]);
  for (const j of [i, ...[...data.index.keys()].filter((j) => j !== i && same(j))]) {
    const side = make("section"), ok = data.outcomes[data.outcome[j]] === "ok";
    const score = ok && data.score[j] !== null ? (100 * data.score[j]).toFixed(1) : data.outcomes[data.outcome[j]];
    const head = make("p");
    head.append(make("b", data.modes[data.mode[j]]), " ", make("span", score, data.score[j] === 1 ? "good" : "bad"));
    const work = [["MSR", fixed(data.msr[j], 3)], ["prefill ms", fixed(data.prefill[j], 1)], ["tokens", data.output[j]]];
    side.append(head, make("pre", data.error[j] || data.prediction[j] || " "),
                make("small", (data.cut[j] ? "cut here, whole in the run folder · " : "") +
                              work.map(([name, value]) => name + " " + value).join(" · ")));
    sides.append(side);
  }
  return sides;
}

function promptText(i) {
  const prompt = data.prompts[data.prompt[i]];
  if (!prompt) return null;
  if (prompt.fault) return prompt.fault;
  const left = prompt.bytes - new TextEncoder().encode(prompt.head + prompt.tail).length;
  return prompt.head + (prompt.tail ? `\n\n[… ${left} bytes left out here; whole in the run folder …]\n\n` + prompt.tail : "");
}

function routingText(i) {
  if (data.routing[i] === null) return null;
  return data.routings[data.routing[i]].split("/").map((layer, k) =>
      String(k).padStart(3) + "  " + layer.replace(/1/g, "■").replace(/0/g, "□")).join("\n");
}

function truncationText(i) {
  const whole = data.tokens[i] + data.truncated[i];
  return data.truncated[i] ? `${data.truncated[i]} of ${whole} tokens cut, ${data.tokens[i]} given to the model`
                           : `nothing cut, ${data.tokens[i]} tokens given to the model`;
}

function toggleDetail(row, i) {
  if (row.classList.toggle("open")) {
    const detail = make("tr"), cell = make("td"), body = make("div", null, "detail");
    cell.colSpan = row.cells.length;
    const add = (name, text) => { if (text) body.append(make("b", name), make("pre", text)); };
    body.append(make("b", "Answers by mode"), answers(i));
    add("References", data.references[i]);
    add("Truncation", truncationText(i));
    const facts = [["needle depth, %", data.depth[i]], ["TTFT, ms", data.ttft[i] === null ? null : fixed(data.ttft[i], 1)],
                   ...data.strata[i].map((at) => data.stratum_names[at].split(/=(.*)/s)),
                   ["prompt SHA-256", data.prompt[i]]];
    add("Facts", facts.filter((f) => f[1] !== null && f[1] !== "").map((f) => f[0] + ": " + f[1]).join("\n"));
    add("Prompt", promptText(i) || "not in this page, which holds 3 MiB of those that --log-prompts keeps");
    add("Routing, one line per layer, one mark per KV head (■ sparse, □ full)", routingText(i));
    cell.append(body);
    detail.append(cell);
    row.after(detail);
    opened = i;
  } else if (row.nextSibling) {
    row.nextSibling.remove();
    opened = null;
  }
  remember();
}

// The row of a sample that an address names: its page, opened.
function showSample(wanted) {
  const at = shown.findIndex((i) => ["run", "model", "mode", "task"].every((key) => nameOf(key, i) === wanted[key]) &&
                                    data.length[i] === wanted.length && data.index[i] === wanted.index);
  if (at < 0) return;
  page = Math.floor(at / kPage);
  drawPage();
  const row = list.rows[at % kPage];
  toggleDetail(row, shown[at]);
  row.scrollIntoView();
}

function openSamples(filter) {
  for (const field of fields) selects[field].value = filter && filter[field] !== undefined ? String(filter[field]) : "";
  depth = filter && Array.isArray(filter.depth) ? filter.depth : null;
  for (const field of ["outcome", "query"]) byId(field).value = filter && filter[field] !== undefined ? filter[field] : "";
  refresh();
  dialog.showModal();
  if (filter && filter.sample && typeof filter.sample === "object") showSample(filter.sample);
}

function fillSelect(field, values, labels) {
  const select = selects[field] = byId("select-" + field);
  const any = make("option", "any " + field);
  any.value = "";
  select.append(any);
  values.forEach((value, i) => { const o = make("option", labels ? labels[i] : value); o.value = value; select.append(o); });
  select.hidden = values.length < 2;
  select.addEventListener("change", () => { depth = null; refresh(); });
}

// ---- wiring
fillSelect("run", data.runs.map((_, i) => i), data.runs);
fillSelect("model", data.models);
fillSelect("mode", data.modes);
const suites = [...new Set(data.tasks.map(suiteOf))].filter((suite) => !data.tasks.includes(suite));
fillSelect("task", [...suites, ...data.tasks], [...suites.map((s) => s + " (all)"), ...data.tasks]);
fillSelect("stratum", [...data.stratum_names].sort(), [...data.stratum_names].sort().map((s) => s.replace("=", " ")));
fillSelect("length", [...new Set(data.length)].filter((l) => l > 0).sort((a, b) => a - b));
byId("outcome").addEventListener("change", refresh);
byId("query").addEventListener("input", refresh);
byId("previous").addEventListener("click", () => { --page; drawPage(); });
byId("next").addEventListener("click", () => { ++page; drawPage(); });
byId("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
byId("all-samples")?.addEventListener("click", () => openSamples(null));
byId("theme").addEventListener("click", () => setTheme(root.dataset.theme !== "dark"));
if (data.runs.length < 2) byId("run-column").remove();

for (const cell of document.querySelectorAll("td[data-f]")) {
  const open = () => openSamples(JSON.parse(cell.dataset.f));
  cell.tabIndex = 0;
  cell.title = "show the samples behind this";
  cell.addEventListener("click", open);
  cell.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
}
const addTools = (place, entries) => {
  const bar = make("div", null, "tools");
  for (const [name, action] of entries) {
    const button = make("button", name);
    button.type = "button";
    button.addEventListener("click", () => action(button));
    bar.append(button);
  }
  place.prepend(bar);
};
for (const figure of document.querySelectorAll("figure")) {
  const entries = [["SVG", () => download(figure.id + ".svg", "image/svg+xml", figureSvg(figure))], ["PNG", () => savePng(figure)]];
  const panels = [...figure.querySelectorAll(".panel.chart")];
  if (hasPlotly && panels.length > 0) {
    entries.push(["Still / interactive", () => { interactive = !interactive; drawCharts(); }]);
    for (const panel of panels) { if (watcher) watcher.observe(panel); else { seen.add(panel); showPanel(panel); } }
  }
  addTools(figure, entries);
}
for (const table of document.querySelectorAll("table[id]")) {
  addTools(table.closest(".table").querySelector(".body"), [["CSV", () => saveTable(table)]]);
}
// A click on a column's title sorts by it, a second one the other way round.
function sortable(head, sort) {
  const button = make("button", head.textContent);
  button.type = "button";
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    sort(down);
  });
}
for (const head of dialog.querySelectorAll("th[data-by]")) {
  sortable(head, (down) => { order = { by: head.dataset.by, down }; refresh(); });
}
for (const table of document.querySelectorAll("table[id]")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => sortable(head, (down) => {
    const value = (row) => {
      const raw = row.cells[column].dataset.v;
      return raw !== "" && !Number.isNaN(Number(raw)) ? Number(raw) : raw;
    };
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compareValues(value(a), value(b), down));
    for (const row of rows) {  // rows are no groups any more
      row.classList.remove("rule");
      for (const cell of row.cells) cell.classList.remove("again");
    }
    table.tBodies[0].append(...rows);
  }));
}
window.addEventListener("hashchange", followLink);
followLink();
let resizing = 0;
window.addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(drawCharts, 150); });
window.addEventListener("beforeprint", () => { if (hasPlotly) { interactive = false; drawCharts(); } });
