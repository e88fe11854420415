// The page: which dashboard, which time, which choices; asks for the answers and has them drawn.

import { colour, expandLink, moment } from "./format.js";
import { draw, say } from "./panels.js";

const RANGES = ["now-15m", "now-1h", "now-6h", "now-24h", "now-2d", "now-7d", "now-30d", "now-90d", "now-1y", "now-5y"];
const REFRESHES = ["", "5s", "10s", "30s", "1m", "5m"];
const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, M: 2592000, y: 31536000 };
const ALL = "$__all";
const state = { from: "now-24h", to: "now", chosen: {}, options: {}, annotations: [], dark: matchMedia("(prefers-color-scheme: dark)").matches };
const bodies = new Map();
let board, timer, round = 0;

const at = (id) => document.getElementById(id);

async function fetched(path, question) {
  const options = question ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) } : {};
  const answer = await fetch(path, options);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? answer.statusText);
  return told;
}

function ms(text) {
  if (/^\d+$/.test(text)) return Number(text);
  const found = /^now(?:-(\d+)([smhdwMy]))?(?:\/[smhdwMy])?$/.exec(text);
  if (!found) return Date.parse(text);
  return Date.now() - (found[1] ? Number(found[1]) * UNITS[found[2]] * 1000 : 0);
}

function seconds(text) {
  const found = /^(\d+)(ms|[smhd])$/.exec(text ?? "");
  return found ? (found[2] === "ms" ? Number(found[1]) / 1000 : Number(found[1]) * UNITS[found[2]]) : 0;
}

// As Grafana: the range over the panel's width in points, rounded up to a pleasant step, and not below the panel's least.
function interval(panel, width) {
  const raw = (state.toMs - state.fromMs) / 1000 / Math.max(width, 100);
  const step = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800].find((one) => one >= raw) ?? 2592000;
  return Math.max(step, seconds(panel.interval), 1);
}

const question = (kind, name, more = {}) => ({
  dashboard: board.uid, kind, name: String(name), from_ms: Math.floor(state.fromMs), to_ms: Math.ceil(state.toMs), chosen: state.chosen, options: state.options, ...more });

function address() {
  const choices = Object.entries(state.chosen).flatMap(([name, values]) => values.map((value) => `var-${name}=${encodeURIComponent(value)}`));
  return `?${[`from=${encodeURIComponent(state.from)}`, `to=${encodeURIComponent(state.to)}`, ...choices].join("&")}`;
}

async function refresh() {
  const mine = ++round;
  state.fromMs = ms(state.from);
  state.toMs = ms(state.to);
  at("state").textContent = "asking";
  const marks = await Promise.all(board.annotations.list.filter((one) => one.enable).map(async (one) => {
    try {
      const { columns, rows } = await fetched("/api/ask", question("annotation", one.name));
      const time = columns.findIndex(({ name }) => name === "time");
      return rows.map((row) => ({ time: moment(row[time]), color: colour(one.iconColor) }));
    } catch { return []; }
  }));
  state.annotations = marks.flat();
  const failed = (await Promise.all(board.panels.map((panel) => ask(panel, mine)))).filter(Boolean).length;
  if (mine !== round) return;
  at("state").textContent = failed ? `${failed} panels failed` : `as of ${new Date().toLocaleTimeString()}`;
  document.body.dataset.drawn = String(mine);
  document.body.dataset.failed = String(failed);
}

async function ask(panel, mine) {
  const body = bodies.get(panel.id);
  if (!body) return false;
  try {
    const asked = (panel.targets ?? []).map(async ({ refId }) => {
      const more = { ref: refId, interval_s: Math.round(interval(panel, body.clientWidth)) };
      return [refId, await fetched("/api/ask", question("panel", panel.id, more))];
    });
    const answers = Object.fromEntries(await Promise.all(asked));
    if (mine === round) draw(panel, answers, body, state);
    return false;
  } catch (error) {
    if (mine === round) say(body, "odd", error.message);
    return true;
  }
}

async function loadVariables() {
  for (const variable of board.templating.list.filter(({ type }) => type === "query")) {
    try {
      const { rows } = await fetched("/api/ask", question("variable", variable.name));
      state.options[variable.name] = rows.map(([value]) => String(value));
    } catch { state.options[variable.name] = []; }
  }
}

function showVariables() {
  const shown = board.templating.list.filter(({ type, hide }) => type !== "datasource" && !hide);
  at("variables").replaceChildren(...shown.map((variable) => {
    const label = document.createElement("label");
    label.append(`${variable.label} `);
    label.title = variable.description ?? "";
    const chosen = state.chosen[variable.name];
    if (variable.type === "textbox") {
      const input = document.createElement("input");
      input.name = variable.name;
      input.value = chosen[0] ?? "";
      input.onchange = () => choose(variable.name, [input.value.trim()]);
      label.append(input);
      return label;
    }
    const options = variable.type === "custom" ? variable.options.filter(({ value }) => value !== ALL).map(({ value }) => value) : state.options[variable.name] ?? [];
    if (!variable.multi) {
      const select = document.createElement("select");
      select.name = variable.name;
      for (const value of options) select.add(new Option(value, value, false, chosen.includes(value)));
      select.onchange = () => choose(variable.name, [select.value]);
      label.append(select);
      return label;
    }
    const box = document.createElement("details");
    box.className = "choice";
    const summary = document.createElement("summary");
    summary.textContent = `${variable.label}: ${chosen.includes(ALL) ? "all" : chosen.join(", ")}`;
    const list = document.createElement("div");
    for (const value of [ALL, ...options]) {
      const line = document.createElement("label");
      const tick = document.createElement("input");
      tick.type = "checkbox";
      tick.checked = chosen.includes(value);
      tick.onchange = () => {
        const others = state.chosen[variable.name].filter((one) => one !== ALL && one !== value);
        const next = value === ALL ? [ALL] : tick.checked ? [...others, value] : others;
        choose(variable.name, next.length ? next : [ALL], true);
      };
      line.append(tick, ` ${value === ALL ? "all" : value || "(none)"}`);
      list.append(line);
    }
    box.append(summary, list);
    return box;
  }));
}

function choose(name, values, keepOpen = false) {
  state.chosen[name] = values;
  history.replaceState(null, "", address());
  if (!keepOpen) showVariables();
  showNavigation();
  refresh();
}

let listed = [];
function showNavigation() {
  at("boards").replaceChildren(...listed.map(({ uid, title, description }) => {
    const link = document.createElement("a");
    link.href = `/d/${uid}${address()}`;
    link.textContent = title;
    link.title = description;
    if (uid === board.uid) link.setAttribute("aria-current", "page");
    return link;
  }));
}

function layOut() {
  at("about").textContent = board.description ?? "";
  const sections = board.panels.filter(({ type }) => type !== "row").map((panel) => {
    const section = document.createElement("section");
    const { x, y, w, h } = panel.gridPos;
    section.style.gridArea = `${y + 1} / ${x + 1} / span ${h} / span ${w}`;
    section.dataset.panel = panel.id;
    section.dataset.title = panel.title;
    const title = document.createElement("h2");
    title.title = panel.description ?? "";
    if (panel.links?.length) {
      const link = document.createElement("a");
      link.textContent = panel.title;
      link.onmouseenter = () => { link.href = expandLink(panel.links[0].url, {}, state); };
      link.href = "#";
      title.append(link);
    } else title.textContent = panel.title;
    const body = document.createElement("div");
    body.className = "body";
    bodies.set(panel.id, body);
    section.append(title, body);
    return section;
  });
  at("grid").replaceChildren(...sections);
}

function schedule(text) {
  clearInterval(timer);
  if (seconds(text)) timer = setInterval(() => { if (!document.hidden) refresh(); }, seconds(text) * 1000);
}

function themed() {
  document.documentElement.dataset.theme = state.dark ? "dark" : "light";
}

function fill(select, values, value, show) {
  for (const one of values.includes(value) ? values : [value, ...values]) select.add(new Option(show(one), one, false, one === value));
}

async function start() {
  const look = new URLSearchParams(location.search).get("theme"); // as in Grafana: ?theme=dark or light
  if (look) state.dark = look === "dark";
  themed();
  listed = await fetched("/api/dashboards");
  const uid = /^\/d\/([^/]+)/.exec(location.pathname)?.[1] ?? listed[0].uid;
  board = await fetched(`/api/dashboards/${uid}`);
  document.title = `${board.title} - Quayside`;
  const asked = new URLSearchParams(location.search);
  state.from = asked.get("from") ?? board.time.from;
  state.to = asked.get("to") ?? board.time.to;
  state.fromMs = ms(state.from);
  state.toMs = ms(state.to);
  for (const variable of board.templating.list) {
    const first = [variable.current?.value ?? ""].flat();
    const given = asked.getAll(`var-${variable.name}`);
    state.chosen[variable.name] = given.length ? given : first;
  }
  await loadVariables();
  layOut();
  showVariables();
  showNavigation();
  fill(at("range"), RANGES, state.from, (one) => (one.startsWith("now-") ? `last ${one.slice(4)}` : one));
  at("range").onchange = () => { state.from = at("range").value; state.to = "now"; history.replaceState(null, "", address()); showNavigation(); refresh(); };
  fill(at("refresh"), REFRESHES, asked.get("refresh") ?? board.refresh ?? "", (one) => one || "off");
  at("refresh").onchange = () => schedule(at("refresh").value);
  at("theme").onclick = () => { state.dark = !state.dark; themed(); refresh(); };
  schedule(at("refresh").value);
  await refresh();
}

start().catch((error) => { at("state").textContent = error.message; document.body.dataset.failed = "1"; document.body.dataset.drawn = "0"; });
