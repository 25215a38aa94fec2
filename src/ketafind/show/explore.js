"use strict";
// Texts reach the page as text only: no markup is made of them, and nothing is asked for.
(() => {
  const by = (id) => document.getElementById(id);
  const data = JSON.parse(by("data").textContent);
  const root = document.documentElement;
  const RAMP = ["#fde725", "#5ec962", "#21918c", "#3b528b", "#440154"];
  const SET = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];
  const MOST_AT_ONCE = 12;

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

  // Colours of a column.

  const palette = data.colour && (data.colour.ordered ? RAMP : SET);
  const colourOf = (c) => palette[c];
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
    zoomControl: false, attributionControl: false, zoomSnap: 0.5, minZoom: 2, maxZoom: 17,
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
  const bounds = L.latLngBounds([]);
  located.forEach((row) => bounds.extend(row.at));
  if (data.origin) bounds.extend(data.origin);
  const showAll = (options) => map.fitBounds(bounds, { padding: [34, 34], maxZoom: 12, ...options });

  // What lies beneath: land, lakes, borders and towns.

  const ground = {};
  const groundStyle = {
    water: () => ({ stroke: false, fillColor: css("--water"), fillOpacity: 1 }),
    land: () => ({ color: css("--shore"), weight: 1, fillColor: css("--land"), fillOpacity: 1 }),
    ontario: () => ({ stroke: false, fillColor: css("--home"), fillOpacity: 1 }),
    lakes: () => ({ color: css("--shore"), weight: 1, fillColor: css("--water"), fillOpacity: 1 }),
    borders: () => ({ color: css("--border"), weight: 1.2, dashArray: "5 3" }),
  };
  const layGround = (base, reach) => {
    const layers = base[reach], group = L.layerGroup();
    for (const [part, style] of Object.entries(groundStyle)) {
      const lines = part === "water" ? base.around && [base.around] : layers[part] && layers[part].map((line) => unpack(line, layers.step));
      if (!lines) continue;
      const kind = part === "borders" ? L.polyline : L.polygon;
      const layer = kind(lines, drawn("base", { fill: part !== "borders", fillRule: "evenodd", smoothFactor: 0.8, ...style() }));
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
    const box = bounds.pad(2), step = [0.1, 0.5, 1, 2, 5, 10, 30].find((degrees) => degrees * 8 >= bounds.getEast() - bounds.getWest()) || 30;
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
    const details = make("details", {}, make("summary", {}, number, make("span", {}, row.name), make("span", { class: "sub" }, row.sub)), body);
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

  function link(text, url) {
    return /^https?:/.test(url || "") ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text) : text;
  }
  function told(row) {
    const facts = make("dl");
    for (const [label, text, url] of row.facts) facts.append(make("dt", {}, label), make("dd", {}, link(text, url)));
    if (row.evidence.length) {
      const lines = row.evidence.map(([text, url]) => make("li", {}, `${text} `, link(url, url)));
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
  function face(text, rows) {
    const kinds = new Set(rows.map((row) => row.kind)), colours = new Set(rows.map((row) => row.c));
    const made = make("span", { class: `mark ${kinds.size === 1 ? rows[0].kind : "mixed"}` }, text);
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
    const { rows } = group, text = rows.length > 1 ? `${rows[0].n} +${rows.length - 1}` : rows[0].n;
    const names = rows.slice(0, MOST_AT_ONCE).map((row) => `${row.n} ${row.name}`).join("; ") + (rows.length > MOST_AT_ONCE ? "; ..." : "");
    const icon = L.divIcon({ className: "pin", html: face(text, rows), iconSize: [0, 0] });
    const made = L.marker(group.at, { icon, riseOnHover: true }).bindTooltip(make("span", {}, names), { direction: "top", offset: [0, -12] });
    made.on("add", () => made.getElement().setAttribute("aria-label", `${text}: ${names}`));
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
      row.area = L.polygon(row.shape.map((ring) => unpack(ring, data.step)), { ...drawn("areas", areaStyle(row.c)), interactive: true, fillRule: "evenodd" });
      row.area.bindTooltip(make("span", {}, [row.name, row.sub].filter(Boolean).join(", ")), { sticky: true });
      row.area.on("mouseover", () => light([row], true)).on("mouseout", () => light([row], false)).on("click", () => open([row]));
      bounds.extend(row.area.getBounds());
    }
  }
  const cells = { shown: null, layers: [] };
  function hexagon(level, at) {
    const x = level.size * Math.sqrt(3) * (level.q[at] + level.r[at] / 2), y = level.size * 1.5 * level.r[at];
    const corner = (turn) => {
      const angle = (Math.PI / 3) * turn + Math.PI / 6;
      return L.CRS.EPSG3857.unproject(L.point(x + level.size * Math.cos(angle), y + level.size * Math.sin(angle)));
    };
    const made = L.polygon([0, 1, 2, 3, 4, 5].map(corner), { ...drawn("areas", areaStyle(level.c[at])), weight: 0.3, interactive: true, smoothFactor: 0 });
    made.c = level.c[at];
    made.said = [level.value[at], say("cell", { n: level.n[at] })].filter((part) => part !== "").join("; ");
    return made;
  }
  function chooseCells() {
    const metres = 156543.034 / 2 ** map.getZoom();
    const fine = data.hexagons.map((level) => level.size / metres >= 5).lastIndexOf(true);
    const at = Math.max(0, fine);
    if (cells.shown === at) return;
    if (cells.shown !== null) cells.layers[cells.shown].remove();
    const level = data.hexagons[at];
    cells.layers[at] ||= L.featureGroup(level.q.map((_, i) => hexagon(level, i))).bindTooltip((layer) => make("span", {}, layer.said), { sticky: true });
    cells.layers[at].addTo(map);
    cells.shown = at;
  }
  function tint() {
    data.rows.forEach((row) => row.area && row.area.setStyle(areaStyle(row.c)));
    if (cells.shown !== null) cells.layers[cells.shown].eachLayer((layer) => layer.setStyle({ ...areaStyle(layer.c), weight: 0.3 }));
  }

  // Filters: a term that is not stated of a clinic is not a no.

  const choices = {};
  const offers = (row, facet, term) => ((row.has[facet] || []).includes(term) ? "yes"
    : (row.not[facet] || []).includes(term) || row.complete.includes(facet) ? "no" : "unknown");
  const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  function isWanted(row) {
    const takesUnknown = choices.unknown && choices.unknown.checked;
    if (choices.kind && choices.kind.value && row.kind !== choices.kind.value) return false;
    if (choices.text && !fold(`${row.name} ${row.sub}`).includes(fold(choices.text.value.trim()))) return false;
    return data.facets.every(({ id }) => {
      const term = choices[id].value, truth = term && offers(row, id, term);
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
    if (data.rows.length) by("count").textContent = say("shown", { n: shown.length, of: data.rows.length });
    zoomGathered = null;
    drawMarks();
  }
  function chooser(id, label, options) {
    choices[id] = make("select", { onchange: filter }, new window.Option(say("any"), ""), ...options.map(([value, text]) => new window.Option(text, value)));
    return make("label", {}, label, choices[id]);
  }
  function layFilters() {
    if (data.rows.length < 2) return;
    choices.text = make("input", { type: "search", oninput: filter });
    const form = make("form", { onsubmit: (event) => event.preventDefault() }, make("label", {}, say("find"), choices.text));
    const kinds = Object.entries(data.kinds);
    if (kinds.length > 1) form.append(chooser("kind", say(data.kind), kinds));
    data.facets.forEach(({ id, label, terms }) => form.append(chooser(id, label, terms)));
    if (data.facets.length) {
      choices.unknown = make("input", { type: "checkbox", onchange: filter });
      form.append(make("label", {}, choices.unknown, say("or_unknown")));
    }
    by("filters").append(make("details", {}, make("summary", {}, say("filter")), form));
  }

  // What the marks mean.

  function layLegend() {
    const line = (key, text) => by("legend").append(make("li", {}, make("span", { class: "key", "aria-hidden": "true" }, key), make("span", {}, text)));
    const kinds = Object.entries(data.kinds);
    if (located.some((row) => !row.shape) && (kinds.length > 1 || !data.kinds.yes)) {
      kinds.forEach(([kind, text]) => line(make("span", { class: `mark ${kind}` }, "1"), text));
    }
    if (located.filter((row) => !row.shape).length > 1) line(make("span", { class: "mark yes" }, "3 +2"), say("several", { first: 3, more: 2 }));
    if (kinds.length > 1 && located.length > 1) line(make("span", { class: "mark mixed" }, "3 +2"), say("mixed"));
    if (located.some((row) => row.r > 0)) line(make("span", { class: "circle" }), say("doubt"));
    if (data.origin) line(make("span", { class: "star" }, "★"), say("origin"));
    if (!data.colour) return;
    by("legend").append(make("li", {}, make("strong", {}, data.colour.label)));
    const swatch = (colour) => {
      const made = make("canvas", { class: "swatch", width: 26, height: 16 }), pen = made.getContext("2d");
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 26, 16);
      return made;
    };
    data.colour.classes.forEach((text, c) => line(swatch(colourOf(c)), text));
    if (data.colour.missing) line(swatch(hatch()), say("not_known"));
  }

  // Together.

  layAreas();
  if (data.hexagons) {
    const coarse = data.hexagons[0];
    coarse.q.forEach((_, at) => bounds.extend(hexagon(coarse, at).getBounds()));
  }
  if (bounds.getNorthEast().distanceTo(bounds.getSouthWest()) < 2000) bounds.extend(bounds.getCenter().toBounds(6000));
  showAll({ animate: false });
  for (const row of located) {
    if (row.r > 0) row.doubt = L.circle(row.at, drawn("doubts", { radius: row.r * 1000, color: css("--sure"), weight: 1, dashArray: "4 4", fill: false, fillOpacity: 0.12 })).addTo(map);
    if (row.area) row.area.addTo(map);
  }
  if (data.origin) {
    const icon = L.divIcon({ className: "pin", html: make("span", { class: "star" }, "★"), iconSize: [0, 0] });
    L.marker(data.origin, { icon, interactive: false, keyboard: false, zIndexOffset: -1000 }).addTo(map);
  }
  L.control.zoom({ position: "topleft", zoomInTitle: say("zoom_in"), zoomOutTitle: say("zoom_out") }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
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
  map.on("resize", () => { if (!isUsed) showAll({ animate: false }); });
  if (data.hexagons) {
    chooseCells();
    map.on("zoomend", chooseCells);
  }
  const lay = (base) => {
    ground.towns = base.towns;
    chooseGround(base);
    map.on("zoomend", () => chooseGround(base));
    nameTowns();
    root.dataset.ready = "";
  };
  if (data.base === null) {
    layGrid();
    root.dataset.ready = "";
  }
  else if (typeof data.base === "object") lay(data.base);
  else {
    const packed = Uint8Array.from(atob(data.base), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    new Response(stream).json().then((base) => lay({ ...base, around: data.around }));
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
