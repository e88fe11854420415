// How values are shown: units, thresholds, colours and links, as Grafana reads them from the same JSON.

const COLOURS = { green: "#299c46", "dark-green": "#1a7a33", yellow: "#d9a400", orange: "#e0752d", red: "#d44a3a", "dark-red": "#a3222d", blue: "#3274d9", purple: "#8f3bb8", gray: "#7b8087", grey: "#7b8087", text: "#7b8087", transparent: "transparent" };
const DURATIONS = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };
const SPANS = [[86400 * 365, "years"], [86400, "days"], [3600, "hours"], [60, "min"], [1, "s"]];
const BYTES = { bytes: 1024, decbytes: 1000 };

export const isTime = (type) => /Date/.test(type);
export const isNumber = (type) => /^(Nullable\()?(U?Int|Float|Decimal)/.test(type);
export const colour = (name) => COLOURS[name] ?? name;

export function threshold(steps, value) {
  let found = "blue";
  for (const step of steps ?? []) if (step.value === null || step.value === undefined || value >= step.value) found = step.color;
  return colour(found);
}

export function moment(text) {
  if (typeof text === "number") return new Date(text);
  return new Date(/[zZ+]/.test(text) ? text : text.replace(" ", "T") + "Z");
}

function rounded(value, decimals) {
  if (decimals !== undefined) return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  const most = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: most });
}

function short(value, decimals) {
  for (const [size, name] of [[1e9, " Bil"], [1e6, " Mil"], [1e4, " K"]]) {
    if (Math.abs(value) >= size) return rounded(value / (size === 1e4 ? 1e3 : size), decimals) + name;
  }
  return rounded(value, decimals);
}

export function shown(value, config, type = "") {
  if (value === null || value === undefined || value === "") return "";
  const { unit = "none", decimals } = config;
  for (const mapping of config.mappings ?? []) {
    const found = mapping.type === "value" ? mapping.options[String(value)] : undefined;
    if (found?.text) return found.text;
  }
  if (isTime(type) && !unit.startsWith("dateTimeFromNow")) return local(moment(value));
  if (typeof value !== "number") {
    if (isNumber(type)) return shown(Number(value), config);
    return Array.isArray(value) ? value.join(", ") : String(value);
  }
  if (unit === "percentunit") return rounded(value * 100, decimals ?? 1) + " %";
  if (unit === "percent") return rounded(value, decimals ?? 1) + " %";
  if (unit in BYTES) {
    const names = ["B", "KB", "MB", "GB", "TB"];
    let at = 0;
    while (Math.abs(value) >= BYTES[unit] && at < names.length - 1) { value /= BYTES[unit]; at += 1; }
    return `${rounded(value, decimals)} ${names[at]}`;
  }
  if (unit in DURATIONS) {
    const seconds = value * DURATIONS[unit];
    const [size, name] = SPANS.find(([one]) => Math.abs(seconds) >= one) ?? [1, "s"];
    return `${rounded(seconds / size, decimals)} ${name}`;
  }
  if (unit === "short" || unit === "none") return unit === "short" ? short(value, decimals) : rounded(value, decimals);
  return `${rounded(value, decimals)} ${unit.startsWith("suffix:") ? unit.slice(7) : unit}`;
}

function local(date) {
  if (Number.isNaN(date.getTime())) return "";
  const two = (number) => String(number).padStart(2, "0");
  const year = date.getFullYear() === new Date().getFullYear() ? "" : `${date.getFullYear()}-`; // as short as a table likes it
  return `${year}${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

// A field's settings: the defaults, and what an override says for its name.
export function configOf(panel, name) {
  const config = { ...(panel.fieldConfig?.defaults ?? {}) };
  for (const override of panel.fieldConfig?.overrides ?? []) {
    const { id, options } = override.matcher;
    const fits = id === "byName" ? options === name : id === "byRegexp" ? new RegExp(options.replace(/^\/|\/$/g, "")).test(name) : false;
    if (!fits) continue;
    for (const { id: property, value } of override.properties) config[property] = value;
  }
  return config;
}

// ${__data.fields.X:percentencode}, ${variable:queryparam}, ${__url_time_range}, ${variable}
export function expandLink(url, row, state) {
  return url.replace(/\$\{([^}]+)\}/g, (whole, inside) => {
    const [name, how] = inside.split(":");
    if (name.startsWith("__data.fields.")) {
      const field = name.slice("__data.fields.".length).replace(/^\["?|"?\]$/g, "");
      return encodeURIComponent(row?.[field] ?? "");
    }
    if (name === "__url_time_range") return `from=${encodeURIComponent(state.from)}&to=${encodeURIComponent(state.to)}`;
    if (name === "__value.raw") return encodeURIComponent(row?.__value ?? "");
    const values = state.chosen[name] ?? [];
    if (how === "queryparam") return values.map((value) => `var-${name}=${encodeURIComponent(value)}`).join("&") || `var-${name}=`;
    return encodeURIComponent(values.join(","));
  });
}
