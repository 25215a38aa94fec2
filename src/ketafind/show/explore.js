"use strict";
// Texts reach the page as text only: no markup is made of them, and nothing is asked for.
(() => {
  const by = (id) => document.getElementById(id);
  const data = JSON.parse(by("data").textContent);
  const root = document.documentElement;
  const RAMP = ["#fde725", "#5ec962", "#21918c", "#3b528b", "#440154"];
  const SET = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];
  const MOST_AT_ONCE = 12;
  // As records.py knows them: no script, no text alone.
  const WEB_ADDRESS = /^https?:\/\/(\[[\da-f:.]+\]|[^\s\0- \x7f/?#@\\[\]]+)([/?#][^\s\0- \x7f]*)?$/i;

  const say = (key, values = {}) => data.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const make = (tag, traits = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(traits)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // Values as people read them.

  const isKnown = (value) => value !== null && value !== undefined && value !== "" && value.length !== 0;
  const number = (value, digits) => value.toLocaleString(`${data.lang}-CA`, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: "min2" });
  const text = (value) => {
    if (!isKnown(value)) return "";
    if (Array.isArray(value)) return value.map(text).join("; ");
    if (typeof value !== "number") return String(value);
    const size = Math.abs(value);
    if (Number.isInteger(value)) return number(value, 0);
    return size < 0.01 ? value.toPrecision(3) : number(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
  };
  const facetOf = new Map((data.facets || []).map((facet) => [facet.plural, facet]));
  const labels = new Map(Object.entries(data.labels || {})), words = new Map(Object.entries(data.words));
  const termOf = (facet, term) => (Object.hasOwn(facet.terms, term) ? facet.terms[term] : term);
  const labelOf = (name) => (facetOf.has(name) ? facetOf.get(name).label : labels.get(name) || words.get(name) || name.replaceAll("_", " "));
  const textOf = (name, value) => {
    if (facetOf.has(name)) return [].concat(value || []).map((term) => termOf(facetOf.get(name), term)).join("; ");
    return labels.has(name) && words.get(`is_${value}`) || text(value);
  };
  // Label, text, and where it leads, of all that is known of a row.
  function factsOf({ cells, radius_km: radius }) {
    const parts = ["street_address", "city", "province", "postal_code"];
    const address = parts.map((part) => cells[part]).filter(isKnown).join(", ");
    const facts = data.facets && address ? [[say("address"), address]] : [];
    for (const [name, value] of Object.entries(cells)) {
      if (!isKnown(value) || (data.facets && [...parts, "not_offered", "complete"].includes(name))) continue;
      facts.push([labelOf(name), textOf(name, value), name === "website" ? value : ""]);
    }
    if (radius) facts.push([say("position"), say("near", { km: number(radius, 1) })]);
    const refused = data.facets ? refusals(cells).map((pair) => termOf(...pair)) : [];
    return refused.length ? [...facts, [say("not_offered"), refused.join("; ")]] : facts;
  }
  function refusals(cells) {
    return (cells.not_offered || []).map((pair) => {
      const [id, term] = pair.split(/:(.*)/s);
      return [data.facets.find((facet) => facet.id === id), term];
    }).filter(([facet]) => facet);
  }

  // Colours of a column: numbers are parted into fifths, texts have one each, the commonest first.

  const MOST_NAMES = 7;
  const colour = ((values) => {
    const known = values.filter(isKnown);
    if (!known.length) return null;
    const missing = known.length < values.length, name = data.column;
    const label = !data.hexagons ? labelOf(name) : name ? say("median", { name }) : say("count");
    if (known.every((value) => typeof value === "number")) {
      const sorted = Float64Array.from(known).sort(), least = sorted[0], most = sorted[known.length - 1];
      const fifths = (sorted, last = sorted.length - 1) => new Set([0.2, 0.4, 0.6, 0.8].map((part) => {
        const low = Math.floor(part * last), next = sorted[Math.min(low + 1, last)];
        return Number((sorted[low] + (next - sorted[low]) * (part * last - low)).toPrecision(3));
      }).filter((stop) => stop > least));
      // Where one value, such as 0, fills several fifths, each different value counts once.
      const all = fifths(sorted), different = [...new Set(sorted)];
      const stops = [...(all.size < 4 && different.length > 5 ? fifths(different) : all)];
      const ends = [least, ...stops, most];
      const texts = ends.slice(1).map((end, i) => `${text(ends[i])} – ${text(end)}`);
      return { label, missing, texts, palette: RAMP, of: (value) => stops.filter((stop) => stop <= value).length };
    }
    const counts = new Map();
    for (const value of known) counts.set(textOf(name, value), (counts.get(textOf(name, value)) || 0) + 1);
    const ranked = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([one]) => one);
    const texts = [...ranked.slice(0, MOST_NAMES), ...(ranked.length > MOST_NAMES ? [say("other")] : [])];
    return { label, missing, texts, palette: SET, of: (value) => Math.min(MOST_NAMES, ranked.indexOf(textOf(name, value))) };
  })(data.hexagons ? data.hexagons.flatMap((level) => level.value) : data.column ? data.rows.map((row) => row.colour) : []);
  const palette = colour && colour.palette;
  const colourOf = (c) => palette[c];
  const classOf = (value) => (colour && isKnown(value) ? colour.of(value) : null);
  for (const row of data.rows) {
    row.c = classOf(row.colour);
    const tag = data.kind === "match" ? row.kind === "unknown" && say("unknown") : row.kind !== "yes" && words.get(row.status);
    const value = data.facets ? row.sub : [data.column && text(row.colour)];
    row.said = [...value, tag].filter(Boolean).join(" · ");
  }
  // Black or white, whichever is read better on a colour.
  const inkOn = (colour) => {
    const [r, g, b] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
  };
  const hatch = () => {
    const tile = make("canvas", { width: 8, height: 8 });
    const pen = tile.getContext("2d");
    pen.strokeStyle = css("--soft");
    pen.beginPath();
    pen.moveTo(0, 8);
    pen.lineTo(8, 0);
    pen.stroke();
    return pen.createPattern(tile, "repeat");
  };

  // The map.

  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = L.map("map", {
    zoomControl: false, attributionControl: false, zoomSnap: 0.5, minZoom: 2, maxZoom: 17, maxBoundsViscosity: 1,
    zoomAnimation: !isStill, fadeAnimation: !isStill, markerZoomAnimation: !isStill,
  });
  // Lower panes leave the mouse to the areas.
  for (const [name, depth, hears] of [["base", 200, false], ["areas", 300, true], ["doubts", 350, false], ["towns", 450, false]]) {
    const pane = map.createPane(name);
    pane.style.zIndex = depth;
    if (!hears) pane.style.pointerEvents = "none";
  }
  map.getPane("towns").setAttribute("aria-hidden", "true");
  const renderers = Object.fromEntries(["base", "areas", "doubts"].map((pane) => [pane, L.canvas({ pane, padding: 0.3 })]));
  const drawn = (pane, traits) => ({ pane, renderer: renderers[pane], interactive: false, ...traits });

  // A line is stored as whole steps of a grid, each less the one before, east before north.
  const unpack = (line, step) => {
    const spots = [];
    for (let at = 0, x = 0, y = 0; at < line.length; at += 2) {
      x += line[at];
      y += line[at + 1];
      spots.push([y * step, x * step]);
    }
    return spots;
  };

  const located = data.rows.filter((row) => row.at);
  // Neighbours across the antimeridian stay neighbours.
  const spots = [...located.map((row) => row.at), ...(data.origin ? [data.origin] : [])];
  const mean = (turn) => spots.reduce((sum, [, lon]) => sum + turn((lon * Math.PI) / 180), 0);
  const middle = (Math.atan2(mean(Math.sin), mean(Math.cos)) * 180) / Math.PI;
  for (const spot of spots) spot[1] -= 360 * Math.round((spot[1] - middle) / 360);
  const bounds = L.latLngBounds([]);
  located.forEach((row) => bounds.extend(row.at));
  if (data.origin) bounds.extend(data.origin);
  // Where nobody knows a place there is a list alone.
  if (!data.hexagons && !bounds.isValid()) {
    document.querySelector("main").classList.add("plain");
    bounds.extend([0, 0]);
  }
  const showAll = (options) => map.fitBounds(bounds, { padding: [34, 34], maxZoom: 12, ...options });

  // What lies beneath: land, lakes, borders and towns.

  const ground = {};
  const groundStyle = {
    water: () => ({ stroke: false, fillColor: css("--water"), fillOpacity: 1 }),
    land: () => ({ color: css("--shore"), weight: 1, fillColor: css("--land"), fillOpacity: 1 }),
    ontario: () => ({ stroke: false, fillColor: css("--home"), fillOpacity: 1 }),
    lakes: () => ({ color: css("--shore"), weight: 1, fillColor: css("--water"), fillOpacity: 1 }),
    borders: () => ({ color: css("--border"), weight: 1.2, dashArray: "5 3" }),
    // Where the base map ends is no shore.
    rim: () => ({ color: css("--land"), weight: 3 }),
  };
  const layGiven = (shapes) => {
    const isLine = ({ type }) => /Line/.test(type);
    const style = (part) => drawn("base", { fill: part === "land", ...groundStyle[part]() });
    ground.given = L.layerGroup(shapes.map((shape) => {
      const part = isLine(shape) ? "borders" : "land";
      return Object.assign(L.geoJSON(shape, style(part)), { part });
    })).addTo(map);
    ground.reach = "given";
  };
  const layGround = (base, reach) => {
    const layers = base[reach], group = L.layerGroup();
    for (const [part, style] of Object.entries(groundStyle)) {
      const lines = part === "water" || part === "rim" ? base.around && [base.around] : layers[part] && layers[part].map((line) => unpack(line, layers.step));
      if (!lines) continue;
      const kind = part === "borders" ? L.polyline : L.polygon;
      const layer = kind(lines, drawn("base", { fill: part !== "borders" && part !== "rim", fillRule: "evenodd", smoothFactor: 0.8, ...style() }));
      layer.part = part;
      group.addLayer(layer);
    }
    return group;
  };
  const chooseGround = (base) => {
    const reach = map.getZoom() >= 7 && base.near ? "near" : "far";
    if (ground.reach === reach) return;
    if (ground.reach) ground[ground.reach].remove();
    ground[reach] ||= layGround(base, reach);
    ground.reach = reach;
    ground[reach].addTo(map);
    restyle();
  };
  const restyle = () => {
    if (ground.reach) ground[ground.reach].eachLayer((layer) => layer.setStyle(groundStyle[layer.part]()));
    located.forEach((row) => row.doubt && row.doubt.setStyle({ color: css("--sure") }));
    tint();
  };
  // Where there is no base map, lines of latitude and longitude say where one is.
  const layGrid = () => {
    const box = map.getBounds().pad(2), step = [0.1, 0.5, 1, 2, 5, 10, 30].find((degrees) => degrees * 8 >= bounds.getEast() - bounds.getWest()) || 30;
    for (let lat = Math.ceil(box.getSouth() / step) * step; lat < Math.min(85, box.getNorth()); lat += step) {
      L.polyline([[lat, box.getWest()], [lat, box.getEast()]], drawn("base", { color: "#8888", weight: 1 })).addTo(map);
    }
    for (let lon = Math.ceil(box.getWest() / step) * step; lon < box.getEast(); lon += step) {
      L.polyline([[Math.max(-85, box.getSouth()), lon], [Math.min(85, box.getNorth()), lon]], drawn("base", { color: "#8888", weight: 1 })).addTo(map);
    }
  };

  // Boxes on the screen that hold a label already; a town's name stands where it covers none.
  const isFree = (box, taken) => taken.every((other) => box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1]);
  const towns = L.layerGroup().addTo(map);
  const nameTowns = () => {
    towns.clearLayers();
    const taken = groups.map(({ at }) => {
      const { x, y } = map.latLngToContainerPoint(at);
      return [x - 20, y - 13, x + 20, y + 13];
    });
    const size = map.getSize();
    for (const [name, lon, lat] of ground.towns || []) {
      const { x, y } = map.latLngToContainerPoint([lat, lon]), long = 8 + name.length * 6.6;
      // To the right, to the left, below or above.
      const spot = [[5, -8], [-long, -8], [-long / 2, 14], [-long / 2, -30]].find(([right, down]) => {
        const box = [x + right, y + down, x + right + long, y + down + 16];
        const isInside = box[0] > 0 && box[1] > 0 && box[2] < size.x && box[3] < size.y;
        const fits = isInside && isFree(box, taken);
        if (fits) taken.push(box);
        return fits;
      });
      if (!spot) continue;
      const label = make("span", {}, name);
      label.style.left = `${spot[0]}px`;
      label.style.top = `${spot[1]}px`;
      const icon = L.divIcon({ className: "town", html: label, iconSize: [0, 0] });
      towns.addLayer(L.marker([lat, lon], { icon, pane: "towns", interactive: false, keyboard: false }));
    }
  };

  // The list.

  const entries = data.rows.map((row, place) => {
    const number = make("span", {}), body = make("div");
    const details = make("details", {}, make("summary", {}, number, make("span", {}, row.name), make("span", { class: "sub" }, row.said)), body);
    number.append(face(row.n, [row]));
    details.addEventListener("toggle", () => {
      if (details.open && !body.firstChild) body.append(told(row));
    });
    const entry = make("li", {}, details);
    for (const [on, off] of [["mouseenter", "mouseleave"], ["focusin", "focusout"]]) {
      entry.addEventListener(on, () => light([row], true));
      entry.addEventListener(off, () => light([row], false));
    }
    row.entry = entry;
    row.place = place;
    row.details = details;
    return entry;
  });
  by("list").append(...entries);

  function link(said, url) {
    return WEB_ADDRESS.test(url || "") ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, said) : said;
  }
  function told(row) {
    const facts = make("dl");
    for (const [label, said, url] of factsOf(row)) facts.append(make("dt", {}, label), make("dd", {}, link(said, url)));
    if (row.evidence && row.evidence.length) {
      const lines = row.evidence.map(([said, url]) => make("li", {}, `${said} `, link(url, url)));
      facts.append(make("dt", {}, say("evidence")), make("dd", {}, make("ul", {}, ...lines)));
    }
    const all = make("div", {}, facts);
    if (row.at) all.prepend(make("button", { type: "button", class: "to-map", onclick: () => goTo(row) }, say("show")));
    return all;
  }
  function goTo(row) {
    if (row.area) map.fitBounds(row.area.getBounds());
    else map.setView(row.at, Math.max(map.getZoom(), 13));
    light([row], true);
  }
  function open(rows) {
    rows.slice(0, MOST_AT_ONCE).forEach((row) => { row.details.open = true; });
    rows[0].entry.scrollIntoView({ block: "nearest" });
    rows[0].details.firstChild.focus({ preventScroll: true });
  }
  function light(rows, isOn) {
    for (const row of rows) {
      row.entry.classList.toggle("on", isOn);
      if (row.doubt) row.doubt.setStyle(isOn ? { weight: 3, fill: true } : { weight: 1, fill: false });
      if (row.area) row.area.setStyle({ weight: isOn ? 4 : 1, color: css(isOn ? "--text" : "--edge") });
      if (row.area && isOn) row.area.bringToFront();
      const group = row.group && row.group.marker && row.group.marker.getElement();
      if (group) group.firstChild.classList.toggle("on", isOn);
    }
  }

  // Marks: where they would cover each other, one in their middle stands for several.

  const width = 26 + 7 * String(data.rows.length).length * (data.rows.length > 1 ? 2 : 1);
  let shown = data.rows, groups = [];
  const marks = L.layerGroup().addTo(map);
  function face(number, rows) {
    const kinds = new Set(rows.map((row) => row.kind)), colours = new Set(rows.map((row) => row.c));
    const made = make("span", { class: `mark ${kinds.size === 1 ? rows[0].kind : "mixed"}` }, number);
    const [c] = colours;
    if (palette && !data.hexagons && colours.size === 1 && c !== null) {
      made.classList.add("coloured");
      made.style.background = colourOf(c);
      made.style.color = inkOn(colourOf(c));
      if (kinds.size === 1 && rows[0].kind === "unknown") made.style.borderStyle = "dashed";
    }
    return made;
  }
  function gather() {
    let found = [];
    for (const row of shown) {
      row.group = null;
      if (row.at && !row.area) found.push({ ...map.project(row.at), rows: [row] });
    }
    for (let before = -1; before !== found.length;) {
      before = found.length;
      const cells = new Map(), kept = [];
      for (const group of found) {
        const [column, line] = [Math.floor(group.x / width), Math.floor(group.y / 28)];
        const around = [-1, 0, 1].flatMap((i) => [-1, 0, 1].flatMap((j) => cells.get(`${column + i} ${line + j}`) || []));
        const near = around.find((one) => Math.abs(one.x - group.x) < width && Math.abs(one.y - group.y) < 28);
        if (near) near.joined.push(group);
        else {
          kept.push(Object.assign(group, { joined: [group] }));
          const key = `${column} ${line}`;
          cells.set(key, [...(cells.get(key) || []), group]);
        }
      }
      found = kept.map(({ joined }) => {
        const rows = joined.flatMap((one) => one.rows), mean = (axis) => joined.reduce((sum, one) => sum + one[axis] * one.rows.length, 0) / rows.length;
        return { x: mean("x"), y: mean("y"), rows };
      });
    }
    for (const group of found) {
      group.rows.sort((a, b) => a.place - b.place);
      group.at = map.unproject(L.point(group.x, group.y));
      group.rows.forEach((row) => { row.group = group; });
    }
    return found;
  }
  function mark(group) {
    const { rows } = group, numbers = rows.length > 1 ? `${rows[0].n} +${rows.length - 1}` : rows[0].n;
    const names = rows.slice(0, MOST_AT_ONCE).map((row) => `${row.n} ${row.name}`).join("; ") + (rows.length > MOST_AT_ONCE ? "; ..." : "");
    const icon = L.divIcon({ className: "pin", html: face(numbers, rows), iconSize: [0, 0] });
    const made = L.marker(group.at, { icon, riseOnHover: true }).bindTooltip(make("span", {}, names), { direction: "top", offset: [0, -12] });
    made.on("add", () => made.getElement().setAttribute("aria-label", `${numbers}: ${names}`));
    made.on("mouseover", () => light(rows, true)).on("mouseout", () => light(rows, false));
    const choose = () => {
      const spots = L.latLngBounds(rows.map((row) => row.at));
      const isOneSpot = spots.getNorthEast().distanceTo(spots.getSouthWest()) < 20 || map.getZoom() >= map.getMaxZoom();
      if (rows.length === 1 || isOneSpot) open(rows);
      else map.fitBounds(spots, { padding: [50, 50], maxZoom: Math.max(map.getZoom() + 1, map.getBoundsZoom(spots)) });
    };
    made.on("click", choose).on("keydown", ({ originalEvent }) => {
      if (!["Enter", " "].includes(originalEvent.key)) return;
      L.DomEvent.stop(originalEvent);
      choose();
    });
    return made;
  }
  let zoomGathered = null;
  function drawMarks() {
    if (zoomGathered !== map.getZoom()) {
      marks.clearLayers();
      groups = gather();
      zoomGathered = map.getZoom();
    }
    const view = map.getBounds().pad(0.3);
    for (const group of groups) {
      const isSeen = view.contains(group.at);
      if (isSeen && !group.marker) marks.addLayer(group.marker = mark(group));
      else if (!isSeen && group.marker) {
        marks.removeLayer(group.marker);
        group.marker = null;
      }
    }
    nameTowns();
  }

  // Areas and hexagons.

  const areaStyle = (c) => (c === null
    ? { color: css("--soft"), weight: 1, fillColor: hatch(), fillOpacity: 1 }
    : { color: css("--edge"), weight: 1, fillColor: palette ? colourOf(c) : css("--sure"), fillOpacity: palette ? 0.75 : 0.25 });
  function layAreas() {
    for (const row of data.rows.filter((one) => one.shape)) {
      row.area = L.geoJSON(row.shape, { ...drawn("areas", areaStyle(row.c)), interactive: true });
      row.area.bindTooltip(make("span", {}, [row.name, row.said].filter(Boolean).join(", ")), { sticky: true });
      row.area.on("mouseover", () => light([row], true)).on("mouseout", () => light([row], false)).on("click", () => open([row]));
      bounds.extend(row.area.getBounds());
    }
  }
  const cells = { shown: null, layers: [] };
  function hexagon(level, at) {
    const x = (level.x[at] * level.width) / 2, y = (level.y[at] * level.width * Math.sqrt(3)) / 2, size = level.width / Math.sqrt(3);
    const corner = (turn) => {
      const angle = (Math.PI / 3) * turn + Math.PI / 6;
      return L.CRS.EPSG3857.unproject(L.point(x + size * Math.cos(angle), y + size * Math.sin(angle)));
    };
    const c = classOf(level.value[at]);
    const made = L.polygon([0, 1, 2, 3, 4, 5].map(corner), { ...drawn("areas", areaStyle(c)), weight: 0.7, interactive: true, smoothFactor: 0 });
    made.c = c;
    made.value = level.value[at];
    made.said = [data.column && `${colour.label}: ${text(level.value[at]) || say("not_known")}`, say("cell", { n: number(level.n[at], 0) })].filter(Boolean).join("; ");
    return made;
  }
  function chooseCells() {
    const metres = 156543.034 / 2 ** map.getZoom();
    const fine = data.hexagons.map((level) => level.width / metres >= 9).lastIndexOf(true);
    const at = Math.max(0, fine);
    if (cells.shown === at) return;
    if (cells.shown !== null) cells.layers[cells.shown].remove();
    const level = data.hexagons[at];
    cells.layers[at] ||= L.featureGroup(level.x.map((_, i) => hexagon(level, i))).bindTooltip((layer) => make("span", {}, layer.said), { sticky: true });
    cells.layers[at].addTo(map);
    cells.shown = at;
  }

  // The hexagons in view as a list, for those who use no mouse.
  const MOST_CELLS = 100;
  function listCells() {
    const view = map.getBounds(), seen = [];
    cells.layers[cells.shown].eachLayer((layer) => {
      if (view.contains(layer.getBounds().getCenter())) seen.push(layer);
    });
    const rank = (layer) => (isKnown(layer.value) ? layer.value : -Infinity);
    seen.sort((a, b) => rank(b) - rank(a));
    by("count").textContent = say(seen.length > MOST_CELLS ? "cells" : "every_cell", { n: number(seen.length, 0), most: MOST_CELLS });
    by("list").replaceChildren(...seen.slice(0, MOST_CELLS).map((layer) => {
      const middle = layer.getBounds().getCenter(), go = () => map.setView(middle, Math.max(map.getZoom(), 9));
      const button = make("button", { type: "button", class: "cell", onclick: go }, layer.said, make("span", { class: "sub" }, whereabouts(middle)));
      const show = (isOn) => layer.setStyle({ weight: isOn ? 4 : 0.7, color: css(isOn ? "--text" : "--edge") }) && isOn && layer.bringToFront();
      for (const [name, isOn] of [["mouseenter", true], ["mouseleave", false], ["focus", true], ["blur", false]]) button.addEventListener(name, () => show(isOn));
      return make("li", {}, button);
    }));
  }
  function whereabouts(middle) {
    const degrees = `${number(middle.lat, 2)}°, ${number(middle.lng, 2)}°`;
    const near = (ground.towns || []).map(([name, lon, lat]) => [middle.distanceTo([lat, lon]), name]).sort((a, b) => a[0] - b[0])[0];
    return near && near[0] < 60000 ? `${say("near_town", { town: near[1] })}, ${degrees}` : degrees;
  }
  function tint() {
    data.rows.forEach((row) => row.area && row.area.setStyle(areaStyle(row.c)));
    if (cells.shown !== null) cells.layers[cells.shown].eachLayer((layer) => layer.setStyle({ ...areaStyle(layer.c), weight: 0.7 }));
  }

  // Filters: a term that is not stated of a clinic is not a no.

  const KINDS = data.kind === "match" ? { yes: "yes", unknown: "unknown" } : { yes: "active", unknown: "uncertain", no: "closed" };
  const kinds = Object.entries(KINDS).filter(([kind]) => data.rows.some((row) => row.kind === kind)).map(([kind, word]) => [kind, say(word)]);
  const choices = {};
  const facets = (data.rows.length > 1 && data.facets || []).map((facet) => {
    const held = new Set(data.rows.flatMap((row) => row.cells[facet.plural] || []));
    return { ...facet, held: Object.entries(facet.terms).filter(([term]) => held.has(term)) };
  }).filter(({ held }) => held.length);
  const offers = ({ cells }, facet, term) => {
    if ((cells[facet.plural] || []).includes(term)) return "yes";
    const isRefused = refusals(cells).some(([one, other]) => one.id === facet.id && other === term);
    return isRefused || (cells.complete || []).includes(facet.id) ? "no" : "unknown";
  };
  const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  function isWanted(row) {
    const takesUnknown = choices.unknown && choices.unknown.checked;
    if (choices.kind && choices.kind.value && row.kind !== choices.kind.value) return false;
    if (choices.text && !fold(`${row.name} ${row.said}`).includes(fold(choices.text.value.trim()))) return false;
    return facets.every((facet) => {
      const term = choices[facet.id].value, truth = term && offers(row, facet, term);
      return !term || truth === "yes" || (truth === "unknown" && takesUnknown);
    });
  }
  function filter() {
    shown = data.rows.filter(isWanted);
    data.rows.forEach((row) => {
      const isShown = isWanted(row);
      row.entry.hidden = !isShown;
      for (const layer of [row.doubt, row.area]) if (layer) layer[isShown ? "addTo" : "removeFrom"](map);
    });
    if (data.rows.length) by("count").textContent = say("shown", { n: number(shown.length, 0), of: number(data.rows.length, 0) });
    zoomGathered = null;
    drawMarks();
  }
  function chooser(id, label, options) {
    choices[id] = make("select", { onchange: filter }, new window.Option(say("any"), ""), ...options.map(([value, said]) => new window.Option(said, value)));
    return make("label", {}, label, choices[id]);
  }
  function layFilters() {
    if (data.rows.length < 2) return;
    choices.text = make("input", { type: "search", oninput: filter });
    const form = make("form", { onsubmit: (event) => event.preventDefault() }, make("label", {}, say("find"), choices.text));
    if (kinds.length > 1) form.append(chooser("kind", say(data.kind), kinds));
    facets.forEach(({ id, label, held }) => form.append(chooser(id, label, held)));
    if (facets.length) {
      choices.unknown = make("input", { type: "checkbox", onchange: filter });
      form.append(make("label", {}, choices.unknown, say("or_unknown")));
    }
    by("filters").append(make("details", {}, make("summary", {}, say("filter")), form));
  }

  // What the marks mean.

  function layLegend() {
    const line = (key, said) => by("legend").append(make("li", {}, make("span", { class: "key", "aria-hidden": "true" }, key), make("span", {}, said)));
    if (located.some((row) => !row.shape) && data.facets) {
      kinds.forEach(([kind, said]) => line(make("span", { class: `mark ${kind}` }, "1"), said));
    }
    if (located.filter((row) => !row.shape).length > 1) line(make("span", { class: "mark yes" }, "3 +2"), say("several", { first: 3, more: 2 }));
    if (kinds.length > 1 && located.length > 1) line(make("span", { class: "mark mixed" }, "3 +2"), say("mixed"));
    if (located.some((row) => row.radius_km)) line(make("span", { class: "circle" }), say("doubt"));
    if (data.origin) line(make("span", { class: "star" }, "★"), say("origin"));
    if (!colour) return;
    by("legend").append(make("li", {}, make("strong", {}, colour.label)));
    const swatch = (colour) => {
      const made = make("canvas", { class: "swatch", width: 26, height: 16 }), pen = made.getContext("2d");
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 26, 16);
      return made;
    };
    colour.texts.forEach((said, c) => line(swatch(colourOf(c)), said));
    if (colour.missing) line(swatch(hatch()), say("not_known"));
  }

  // Together.

  layAreas();
  if (data.hexagons) {
    const coarse = data.hexagons[0];
    coarse.x.forEach((_, at) => bounds.extend(hexagon(coarse, at).getBounds()));
  }
  if (bounds.getNorthEast().distanceTo(bounds.getSouthWest()) < 2000) bounds.extend(bounds.getCenter().toBounds(6000));
  // Beyond the base map there is nothing to see: the window stays within, where all marks are.
  const stay = () => {
    if (!data.around || !L.latLngBounds(data.around).contains(bounds)) return;
    map.setMinZoom(0);
    map.setMaxBounds(data.around);
    map.setMinZoom(Math.min(map.getBoundsZoom(data.around, true), map.getBoundsZoom(bounds, false, [68, 68])));
  };
  stay();
  showAll({ animate: false });
  for (const row of located) {
    if (row.radius_km) row.doubt = L.circle(row.at, drawn("doubts", { radius: row.radius_km * 1000, color: css("--sure"), weight: 1, dashArray: "4 4", fill: false, fillOpacity: 0.12 })).addTo(map);
    if (row.area) row.area.addTo(map);
  }
  if (data.origin) {
    const icon = L.divIcon({ className: "pin", html: make("span", { class: "star" }, "★"), iconSize: [0, 0] });
    L.marker(data.origin, { icon, interactive: false, keyboard: false, zIndexOffset: -1000 }).addTo(map);
  }
  L.control.zoom({ position: "topleft", zoomInTitle: say("zoom_in"), zoomOutTitle: say("zoom_out") }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
  const coarse = L.control({ position: "bottomright" });
  coarse.onAdd = () => make("p", { class: "coarse" }, say("coarse"));
  const warn = () => (data.around && map.getZoom() >= 10 ? coarse.addTo(map) : coarse.remove());
  map.on("zoomend", warn);
  const all = L.control({ position: "topleft" });
  all.onAdd = () => {
    const button = make("button", { type: "button", title: say("all"), "aria-label": say("all"), onclick: () => showAll() }, "⤢");
    const bar = make("div", { class: "leaflet-bar" }, button);
    L.DomEvent.disableClickPropagation(bar);
    return bar;
  };
  all.addTo(map);
  layFilters();
  layLegend();
  filter();
  map.on("moveend", drawMarks);
  // A frame may get its size late: until somebody uses the page, all stays in view.
  let isUsed = false;
  for (const kind of ["pointerdown", "click", "wheel", "keydown"]) root.addEventListener(kind, () => { isUsed = true; }, { capture: true, passive: true });
  map.on("resize", () => {
    stay();
    if (!isUsed) showAll({ animate: false });
  });
  if (data.hexagons) {
    chooseCells();
    listCells();
    map.on("zoomend", chooseCells);
    map.on("moveend", listCells);
  }
  const lay = (base) => {
    ground.towns = base.towns;
    map.getContainer().classList.toggle("known", Boolean(base.around));
    chooseGround(base);
    map.on("zoomend", () => chooseGround(base));
    nameTowns();
    if (data.hexagons) listCells();
    root.dataset.ready = "";
  };
  if (data.base === null) {
    layGrid();
    root.dataset.ready = "";
  }
  else if (Array.isArray(data.base)) {
    layGiven(data.base);
    root.dataset.ready = "";
  }
  else {
    const packed = Uint8Array.from(atob(data.base), (letter) => letter.charCodeAt(0));
    const [[south, west], [north, east]] = data.around;
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    new Response(stream).json().then((base) => lay({ ...base, around: [[south, west], [south, east], [north, east], [north, west]] }));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  // On paper all is light; the map keeps its size and is only made smaller, for a canvas of a new
  // size would be printed before it is drawn.
  const layOut = (isPaper) => {
    const { clientWidth, clientHeight, style } = map.getContainer();
    root.classList.toggle("light", isPaper);
    style.width = isPaper ? `${clientWidth}px` : "";
    style.height = isPaper ? `${clientHeight}px` : "";
    style.zoom = isPaper ? Math.min(1, 680 / clientWidth) : "";
    restyle();
    Object.values(renderers).filter((one) => map.hasLayer(one)).forEach((one) => one._redraw());
  };
  window.addEventListener("beforeprint", () => layOut(true));
  window.addEventListener("afterprint", () => layOut(false));
})();
