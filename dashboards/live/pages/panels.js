// One function per kind of panel: draws what was answered into an element.

import { colour, configOf, expandLink, isNumber, isTime, moment, shown, threshold } from "./format.js";

const MAKERS = { stat, bargauge, timeseries, table, text, heatmap, geomap, nodeGraph, "state-timeline": stateTimeline };
const PALETTE = ["#3274d9", "#299c46", "#e0752d", "#8f3bb8", "#d9a400", "#33b5c5", "#d44a3a", "#7b8087", "#5b3a1a", "#c15cb0"];
const STATES = { delivered: "#299c46", returned: "#8f3bb8", cancelled: "#7b8087", departed: "#3274d9", customs_hold: "#d44a3a" };

export function draw(panel, answers, element, state) {
  const make = MAKERS[panel.type];
  if (!make) return say(element, "odd", `The live board does not draw panels of the type ${panel.type}: open this dashboard in Grafana.`);
  if (panel.type === "text") return make(panel, answers, element, state);
  const first = Object.values(answers)[0];
  if (!first || first.rows.length === 0) return say(element, "empty", panel.fieldConfig?.defaults?.noValue || "no data");
  return make(panel, answers, element, state);
}

export function say(element, kind, words) {
  if (element.data) Plotly.purge(element);
  element.classList.remove("plot");
  const p = document.createElement("div");
  p.className = kind;
  p.textContent = words;
  element.replaceChildren(p);
}

const objects = ({ columns, rows }) => rows.map((row) => Object.fromEntries(columns.map(({ name }, at) => [name, row[at]])));

function linked(words, links, row, state) {
  const span = document.createElement(links?.length ? "a" : "span");
  span.textContent = words;
  if (links?.length) {
    span.href = expandLink(links[0].url, row, state);
    span.title = links[0].title;
  }
  return span;
}

function stat(panel, answers, element, state) {
  const { columns, rows } = Object.values(answers)[0];
  const at = columns.findIndex(({ type }) => isNumber(type));
  const column = columns[at < 0 ? 0 : at];
  const value = rows[rows.length - 1][at < 0 ? 0 : at];
  if (value === null || value === "") return say(element, "empty", panel.fieldConfig?.defaults?.noValue || "no data");
  const config = configOf(panel, column.name);
  const box = document.createElement("div");
  box.className = "stat";
  box.dataset.value = value;
  box.style.background = threshold(config.thresholds?.steps, Number(value));
  box.append(linked(shown(value, config, column.type), config.links ?? panel.links, {}, state));
  element.replaceChildren(box);
  const room = Math.min(element.clientHeight * 0.55, (element.clientWidth * 1.4) / Math.max(box.textContent.length, 3));
  box.style.fontSize = `${Math.max(14, Math.min(room, 56))}px`;
}

function bargauge(panel, answers, element, state) {
  const answer = Object.values(answers)[0];
  const number = answer.columns.find(({ type }) => isNumber(type));
  const name = answer.columns.find(({ type }) => !isNumber(type));
  const config = configOf(panel, number.name);
  const rows = objects(answer);
  const most = Math.max(config.max ?? 0, ...rows.map((row) => Number(row[number.name])), 1e-9);
  element.replaceChildren(...rows.map((row) => {
    const value = Number(row[number.name]);
    const bar = document.createElement("div");
    bar.className = "bar";
    const title = linked(name ? String(row[name.name]) : number.name, config.links, row, state);
    title.classList.add("name");
    const track = document.createElement("span");
    track.className = "track";
    const filled = document.createElement("i");
    filled.style.width = `${(100 * value) / most}%`;
    const shade = threshold(config.thresholds?.steps, value);
    filled.style.background = shade;
    track.append(filled);
    const figure = document.createElement("span");
    figure.className = "value";
    figure.dataset.value = value;
    figure.style.color = shade;
    figure.textContent = shown(value, config, number.type);
    bar.append(title, track, figure);
    return bar;
  }));
}

function table(panel, answers, element, state) {
  const answer = Object.values(answers)[0];
  const columns = answer.columns.map((column) => ({ ...column, config: configOf(panel, column.name) }))
    .filter(({ config }) => !config["custom.hidden"] && !config["custom.hideFrom"]);
  const rows = objects(answer);
  const { by, down } = panel.sorted ?? {};
  if (by) rows.sort((a, b) => (a[by] > b[by] ? 1 : a[by] < b[by] ? -1 : 0) * (down ? -1 : 1));
  const grid = document.createElement("table");
  const head = grid.createTHead().insertRow();
  for (const { name, config } of columns) {
    const cell = document.createElement("th");
    cell.textContent = (config.displayName ?? name) + (by === name ? (down ? " ↓" : " ↑") : "");
    if (config["custom.width"]) cell.style.width = `${config["custom.width"]}px`;
    cell.onclick = () => { panel.sorted = { by: name, down: by === name && !down }; table(panel, answers, element, state); };
    head.append(cell);
  }
  const body = grid.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const { name, type, config } of columns) {
      const cell = line.insertCell();
      const words = shown(row[name], config, type);
      cell.append(linked(words, config.links, row, state));
      cell.title = words;
      if (isNumber(type)) {
        cell.className = "number";
        if (config["custom.cellOptions"]?.type?.startsWith("color") && row[name] !== null) {
          cell.style.color = threshold(config.thresholds?.steps, Number(row[name]));
        }
      }
    }
  }
  element.replaceChildren(grid);
}

function text(panel, _answers, element) {
  const words = document.createElement("div");
  words.className = "text";
  for (const paragraph of panel.options.content.split(/\n\s*\n/)) {
    const p = document.createElement("p");
    for (const part of paragraph.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/)) {
      const kind = part.startsWith("**") ? "b" : part.startsWith("*") ? "em" : part.startsWith("`") ? "code" : null;
      if (!kind) p.append(part);
      else { const inner = document.createElement(kind); inner.textContent = part.replace(/^(\*\*|\*|`)|(\*\*|\*|`)$/g, ""); p.append(inner); }
    }
    words.append(p);
  }
  element.replaceChildren(words);
}

function plot(element, traces, layout, state) {
  const ink = state.dark ? "#ccccdc" : "#24292e", faint = state.dark ? "#2c3036" : "#e3e5e8";
  const axis = { gridcolor: faint, zerolinecolor: faint, automargin: true };
  if (!element.data) element.replaceChildren();
  element.classList.add("plot");
  Plotly.react(element, traces, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 11 },
    margin: { l: 40, r: 10, t: 6, b: 24 }, legend: { orientation: "h", y: -0.15 }, hovermode: "closest",
    ...layout, xaxis: { ...axis, ...layout.xaxis }, yaxis: { ...axis, ...layout.yaxis },
  }, { displayModeBar: false, responsive: true });
}

function lines(panel, answer) {
  const time = answer.columns.find(({ type }) => isTime(type));
  const labels = answer.columns.filter(({ type }) => !isTime(type) && !isNumber(type));
  const found = new Map();
  for (const row of objects(answer)) {
    for (const { name } of answer.columns.filter(({ type }) => isNumber(type))) {
      const label = labels.map((one) => row[one.name]).join(" ");
      const key = `${label}\u0000${name}`;
      if (!found.has(key)) found.set(key, { label, name, x: [], y: [] });
      found.get(key).x.push(moment(row[time.name]));
      found.get(key).y.push(row[name] === null ? null : Number(row[name]));
    }
  }
  return [...found.values()].map((line) => {
    const config = configOf(panel, line.name);
    const display = config.displayName?.includes("${__field.labels") ? line.label : config.displayName;
    return { ...line, config, title: display || line.label || line.name };
  });
}

function timeseries(panel, answers, element, state) {
  const custom = panel.fieldConfig.defaults.custom ?? {};
  const stacked = custom.stacking?.mode === "normal", bars = custom.drawStyle === "bars";
  const traces = Object.values(answers).filter((one) => one.rows.length).flatMap((one) => lines(panel, one)).map((line, at) => {
    const shade = line.config.color?.mode === "fixed" ? colour(line.config.color.fixedColor) : PALETTE[at % PALETTE.length];
    const words = line.y.map((value) => shown(value, line.config));
    const common = { x: line.x, y: line.y, name: line.title, text: words, hovertemplate: "%{text} %{x}<extra>%{fullData.name}</extra>" };
    if (bars) return { ...common, type: "bar", marker: { color: shade }, textposition: "none" };
    const points = custom.showPoints === "always" || line.x.length < 3;
    return { ...common, type: "scatter", mode: points ? "lines+markers" : "lines", line: { color: shade, width: 1.5 },
      fill: custom.fillOpacity && !stacked ? "tozeroy" : undefined, fillcolor: `${shade}1a`, stackgroup: stacked ? "one" : undefined };
  });
  const { min, max, unit } = panel.fieldConfig.defaults;
  const shapes = (state.annotations ?? []).slice(0, 200).map((mark) => ({
    type: "line", x0: mark.time, x1: mark.time, yref: "paper", y0: 0, y1: 1, line: { color: mark.color, width: 1, dash: "dot" } }));
  if (custom.thresholdsStyle?.mode && custom.thresholdsStyle.mode !== "off") {
    for (const step of panel.fieldConfig.defaults.thresholds.steps) if (step.value !== null) shapes.push({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: step.value, y1: step.value, line: { color: colour(step.color), width: 1, dash: "dash" } });
  }
  const scale = custom.scaleDistribution?.type === "log" ? { type: "log" } : {};
  plot(element, traces, {
    barmode: stacked ? "stack" : "group", shapes, showlegend: panel.options?.legend?.showLegend ?? traces.length > 1, hovermode: "x unified",
    xaxis: { type: "date", range: [new Date(state.fromMs), new Date(state.toMs)] },
    yaxis: { range: min !== undefined && max !== undefined ? [min, max] : undefined, rangemode: min === 0 ? "tozero" : "normal",
      tickformat: unit === "percentunit" ? ".0%" : undefined, ...scale },
  }, state);
}

function stateTimeline(panel, answers, element, state) {
  const answer = Object.values(answers)[0];
  const time = answer.columns.find(({ type }) => isTime(type)).name;
  const band = panel.transformations?.[0]?.options?.fields?.[0];
  const label = answer.columns.find(({ name, type }) => name !== band && !isTime(type)).name;
  const bands = new Map();
  for (const row of objects(answer)) {
    const key = String(band ? row[band] : label);
    if (!bands.has(key)) bands.set(key, []);
    bands.get(key).push({ at: moment(row[time]).getTime(), state: row[label] });
  }
  const states = new Map();
  for (const [key, marks] of bands) {
    marks.sort((a, b) => a.at - b.at);
    marks.forEach((mark, index) => {
      if (mark.state === null || mark.state === "") return;
      const end = marks[index + 1]?.at ?? Math.max(state.toMs, mark.at);
      if (!states.has(mark.state)) states.set(mark.state, { base: [], x: [], y: [], text: [] });
      const trace = states.get(mark.state);
      trace.base.push(new Date(mark.at)); trace.x.push(end - mark.at); trace.y.push(key); trace.text.push(mark.state);
    });
  }
  // A band that is too short for its words has none: the legend and a pointer over it tell them.
  const ends = [...states.values()].flatMap((trace) => trace.base.map((from, at) => from.getTime() + trace.x[at]));
  const starts = [...states.values()].flatMap((trace) => trace.base.map((from) => from.getTime()));
  const pixel = (Math.max(...ends) - Math.min(...starts)) / Math.max(element.clientWidth - 80, 200);
  for (const trace of states.values()) trace.text = trace.text.map((words, at) => (trace.x[at] / pixel > words.length * 6.5 ? words : ""));
  const traces = [...states].map(([name, trace], at) => ({ ...trace, name, type: "bar", orientation: "h", insidetextanchor: "start", textposition: "inside", textangle: 0,
    marker: { color: STATES[name] ?? PALETTE[at % PALETTE.length] }, hovertemplate: "%{y}: %{fullData.name}, since %{base}<extra></extra>" }));
  plot(element, traces, { barmode: "overlay", bargap: 0.15, showlegend: true, xaxis: { type: "date" }, yaxis: { type: "category", autorange: "reversed", categoryorder: "category ascending" } }, state);
}

function heatmap(panel, answers, element, state) {
  const answer = Object.values(answers)[0];
  const time = answer.columns.find(({ type }) => isTime(type)).name, value = answer.columns.find(({ type }) => isNumber(type)).name;
  const points = objects(answer).filter((row) => row[value] !== null);
  const day = 86400000;
  plot(element, [{ type: "histogram2d", x: points.map((row) => moment(row[time])), y: points.map((row) => Number(row[value])), nbinsy: 16,
    xbins: { start: new Date(state.fromMs), end: new Date(state.toMs), size: Math.max(day, (state.toMs - state.fromMs) / 60) },
    colorscale: [[0, "rgba(0,0,0,0)"], [0.001, "#fdd0a2"], [1, "#a63603"]], colorbar: { thickness: 8 } }],
    { xaxis: { type: "date" }, yaxis: { title: { text: panel.fieldConfig?.defaults?.unit === "d" ? "days" : "" }, rangemode: "tozero" } }, state);
}

function geomap(panel, answers, element, state) {
  const rows = objects(Object.values(answers)[0]).filter((row) => row.latitude !== null && row.longitude !== null);
  if (!rows.length) return say(element, "empty", panel.fieldConfig?.defaults?.noValue || "no coordinates are known");
  const weight = panel.options.layers[0].config.style.size.field;
  const most = Math.max(...rows.map((row) => Number(row[weight])), 1);
  const words = rows.map((row) => Object.entries(row).filter(([name]) => !/itude$/.test(name)).map(([name, value]) => `${name}: ${value}`).join("<br>"));
  plot(element, [{ type: "scatter", mode: "markers", x: rows.map((row) => row.longitude), y: rows.map((row) => row.latitude), text: words, hoverinfo: "text",
    marker: { size: rows.map((row) => 6 + (18 * Number(row[weight])) / most), opacity: 0.75,
      color: rows.map((row) => threshold(panel.fieldConfig?.defaults?.thresholds?.steps, Number(row[weight]))) } }],
    { showlegend: false, xaxis: { title: { text: "longitude" }, constrain: "domain" }, yaxis: { title: { text: "latitude" }, scaleanchor: "x", constrain: "domain", constraintoward: "top" } }, state);
  return undefined;
}

function nodeGraph(panel, answers, element, state) {
  const nodes = objects(answers.nodes), edges = objects(answers.edges ?? { columns: [], rows: [] });
  const at = new Map(nodes.map((node, index) => [node.id, { x: Math.cos((2 * Math.PI * index) / nodes.length), y: Math.sin((2 * Math.PI * index) / nodes.length), node }]));
  const ways = edges.filter((edge) => at.has(edge.source) && at.has(edge.target)).map((edge) => {
    const from = at.get(edge.source), to = at.get(edge.target);
    return { type: "scatter", mode: "lines", x: [from.x, to.x], y: [from.y, to.y], hoverinfo: "none", line: { width: 1, color: "#7b808766" } };
  });
  const arcs = panel.options.nodes.arcs ?? [];
  const beside = ({ x, y }) => (Math.abs(x) < 0.12 ? `${y > 0 ? "top" : "bottom"} center` : `middle ${x > 0 ? "right" : "left"}`);
  const shade = (node) => { const worst = [...arcs].reverse().find(({ field }) => Number(node[field]) > 0 && !/ok|on_time|good/.test(field)); return colour(worst?.color ?? "green"); };
  plot(element, [...ways, { type: "scatter", mode: "markers+text", x: nodes.map((node) => at.get(node.id).x), y: nodes.map((node) => at.get(node.id).y),
    text: nodes.map((node) => `${node.title} (${node.mainstat ?? ""})`), textposition: nodes.map((node) => beside(at.get(node.id))), hoverinfo: "text", marker: { size: 16, color: nodes.map(shade) } }],
    { showlegend: false, xaxis: { visible: false, range: [-1.6, 1.6] }, yaxis: { visible: false, range: [-1.25, 1.25] } }, state);
}
