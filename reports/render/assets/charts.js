// Interactive charts, where plotly.js is embedded: the drawings' data as plotly traces, shown when they come into view.
// Beginning of the function that report.js ends.

const hasPlotly = typeof window.Plotly !== "undefined";
const kSymbols = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "pentagon", "hexagon"];
const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
let interactive = hasPlotly;

const errorBar = (points, axis, shade) => {
  const sizes = points.map((p) => p[axis + "i"]);
  if (!sizes.some(Boolean)) return undefined;
  return { type: "data", symmetric: false, thickness: 1.3, width: 3, color: shade,
           array: points.map((p, i) => sizes[i] ? sizes[i][1] - p[axis] : 0),
           arrayminus: points.map((p, i) => sizes[i] ? p[axis] - sizes[i][0] : 0) };
};

// Where each point's label goes: the first of eight places that meets no marker, no earlier label
// and no edge, in the pixels of a plot of the usual size.
function placeLabels(series) {
  const points = series.flatMap((one) => one.front ? [] : one.points);
  const span = (axis) => {
    const all = points.flatMap((p) => p[axis + "i"] ? [p[axis], ...p[axis + "i"]] : [p[axis]]);
    const low = Math.min(...all), high = Math.max(...all);
    return (value, size) => high > low ? 24 + (value - low) / (high - low) * (size - 48) : size / 2;
  };
  const x = span("x"), y = span("y"), kWidth = 410, kHeight = 260;
  const taken = points.map((p) => [x(p.x, kWidth) - 8, y(p.y, kHeight) - 8, x(p.x, kWidth) + 8, y(p.y, kHeight) + 8]);
  const places = { "top right": [8, 6], "top left": [-1, 6], "bottom right": [8, -22], "bottom left": [-1, -22],
                   "middle right": [12, -8], "middle left": [-2, -8], "top center": [0, 10], "bottom center": [0, -26] };
  for (const p of points.filter((q) => q.label)) {
    const width = 8 * p.label.length, px = x(p.x, kWidth), py = y(p.y, kHeight);
    p.place = "top right";
    for (const [name, [dx, dy]] of Object.entries(places)) {
      const left = name.endsWith("left") ? px - width - 8 : name.endsWith("center") ? px - width / 2 : px + dx;
      const box = [left, py + dy, left + width, py + dy + 16];
      if (box[0] < 0 || box[2] > kWidth + 14 || box[3] > kHeight + 10) continue;
      if (taken.some((t) => box[0] < t[2] && t[0] < box[2] && box[1] < t[3] && t[1] < box[3])) continue;
      p.place = name;
      taken.push(box);
      break;
    }
  }
}

function traceOf(series, dodge) {
  const points = series.points, shade = series.front ? colour("--muted") : colour("--c" + series.slot);
  const mode = [series.line && "lines", series.markers && "markers", points.some((p) => p.label) && "text"];
  return {
    x: points.map((p) => p.x * dodge), y: points.map((p) => p.y), name: series.name, type: "scatter",
    mode: mode.filter(Boolean).join("+") || "lines", text: points.map((p) => p.label),
    textposition: points.map((p) => p.place || "top right"), textfont: { color: shade, size: 13 }, cliponaxis: false,
    customdata: points.map((p) => p.filter), hovertext: points.map((p) => p.detail),
    hoverinfo: series.front ? "skip" : "text", showlegend: !series.front && !points.some((p) => p.label),
    error_x: errorBar(points, "x", shade), error_y: errorBar(points, "y", shade),
    line: { color: shade, width: series.front ? 1.4 : 2, dash: series.front || series.dashed ? "dash" : "solid",
            shape: series.front ? "vh" : "linear" },
    marker: { color: points.map((p) => p.on ? shade : colour("--bg")), size: 11, symbol: kSymbols[series.slot],
              line: { color: shade, width: 1.8 } },
  };
}

function axisOf(axis, ticks) {
  const out = { title: { text: axis.title, font: { size: 13 }, standoff: 10 }, color: colour("--fg"), gridcolor: colour("--line"),
                zeroline: false, linecolor: colour("--fg"), ticks: "outside", ticklen: 4, automargin: true,
                tickfont: { color: colour("--muted"), size: 12 }, type: axis.log ? "log" : "linear" };
  if (axis.range) out.range = axis.range;
  if (ticks) { out.tickvals = ticks[0]; out.ticktext = ticks[1]; }
  return out;
}

function drawChart(panel) {
  const chart = JSON.parse(panel.querySelector("script[type='application/json']").textContent);
  let plot = panel.querySelector(".plot");
  if (!plot) { plot = make("div", null, "plot"); panel.appendChild(plot); }
  const shapes = [];
  if (chart.xref !== null) {
    shapes.push({ type: "line", xref: "x", yref: "paper", x0: chart.xref, x1: chart.xref, y0: 0, y1: 1,
                  line: { color: colour("--muted"), width: 1, dash: "dot" } });
  }
  placeLabels(chart.series);
  // Series that share their lengths stand a little apart, so that intervals do not hide each other.
  const apart = (k) => chart.ticks ? Math.pow(2, 0.03 * (k - (chart.series.length - 1) / 2)) : 1;
  const layout = {
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--line"), activecolor: colour("--accent") },
    title: chart.title ? { text: chart.title, font: { size: 14, color: colour("--fg") }, x: 0, xref: "paper" } : undefined,
    font: { family: getComputedStyle(document.body).fontFamily, color: colour("--fg") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", height: 360, width: panel.clientWidth, shapes,
    margin: { l: 58, r: 18, t: chart.title ? 40 : 14, b: 48 }, hovermode: "closest",
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    hoverlabel: { bgcolor: colour("--soft"), bordercolor: colour("--line"), font: { color: colour("--fg") } },
    xaxis: axisOf(chart.x, chart.ticks), yaxis: axisOf(chart.y, null),
  };
  layout.xaxis.showgrid = false;
  const config = { displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
                   toImageButtonOptions: { format: "svg", filename: chart.id } };
  Plotly.react(plot, chart.series.map((series, k) => traceOf(series, apart(k))), layout, config).then(() => {
    if (plot.dataset.bound) return;
    plot.dataset.bound = "1";
    plot.on("plotly_click", (event) => { if (event.points[0].customdata) openSamples(event.points[0].customdata); });
  });
}

const seen = new Set();
const watcher = "IntersectionObserver" in window ? new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting && !seen.has(entry.target)) { seen.add(entry.target); showPanel(entry.target); }
  }
}, { rootMargin: "300px" }) : null;

function showPanel(panel) {
  const still = panel.querySelector("svg[role=img]"), plot = panel.querySelector(".plot");
  still.style.display = interactive ? "none" : "";
  if (interactive) { drawChart(panel); panel.querySelector(".plot").style.display = ""; }
  else if (plot) plot.style.display = "none";
}
function drawCharts() {
  if (hasPlotly) seen.forEach(showPanel);
}
