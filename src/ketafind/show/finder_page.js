/* global Finder */
// The page itself: what is asked for, the list and the map. Every text is set as text.
if (typeof document !== "undefined") (async () => {
  const by = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const DISTANCES = [10, 25, 50, 100, 250, 500], COUNTS = [5, 10, 20, 50];
  const [opened, base] = await Promise.all([
    Finder.open({ data: by("content").textContent, codes: by("codes").textContent }),
    Finder.inflateJson(by("basemap").textContent),
  ]);
  const { directory, gazetteer, texts, snapshot, qualified } = opened;
  const svg = document.querySelector("#map svg");
  let lang = document.documentElement.lang, origin = null, found = null;

  const say = (key, values = {}) => Finder.fill(texts[key][lang], values);
  // Making a format takes longer than all that is written with it.
  const formats = {};
  const number = (value, places = 0) => {
    const format = formats[lang + places] ??= new Intl.NumberFormat(`${lang}-CA`, { minimumFractionDigits: places, maximumFractionDigits: places });
    return format.format(value);
  };
  const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

  const headed = (head, text) => Finder.fill(directory.says.headed[lang], { head, text });

  // An element with its attributes, and its text or what is in it.
  function make(name, attributes = {}, ...inside) {
    const made = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...inside.flat().filter((one) => one !== null && one !== undefined && one !== ""));
    return made;
  }

  // As records.py knows them: no script, no text alone.
  const WEB_ADDRESS = /^https?:\/\/(\[[\da-f:.]+\]|[^\s\0- \x7f/?#@\\[\]]+)([/?#][^\s\0- \x7f]*)?$/i;

  // A link where there is a web address, else the text alone.
  function link(address, text) {
    return WEB_ADDRESS.test(address ?? "") ? make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text) : text;
  }

  // -- What is asked for -------------------------------------------------------------------------

  const isFlag = (facet) => facet.id === "flag";
  const facets = directory.facets.filter((facet) => !isFlag(facet));
  const flags = directory.facets.find(isFlag)?.terms ?? [];
  const chosen = new Map();

  function choice(id, label, options) {
    const select = make("select", { id }, options.map(([value, text]) => make("option", { value }, text)));
    select.value = chosen.get(id) ?? options[0][0];
    return make("div", {}, make("label", { for: id }, capital(label)), select);
  }

  function drawChoices() {
    for (const select of document.querySelectorAll("select")) chosen.set(select.id, select.value);
    const main = [], more = [];
    for (const facet of facets) {
      const terms = facet.terms.map((term) => [term.id, "\u00a0\u00a0".repeat(directory.above(facet.id, term.id).length - 1) + Finder.named(term, lang)]);
      const made = choice(`facet-${facet.id}`, Finder.named(facet, lang), [["", say("any")], ...terms]);
      (main.length < 3 ? main : more).push(made);
    }
    const yesOrNo = [["", say("any")], ["yes", say("yes")], ["no", say("no")]];
    more.push(...flags.map((flag) => choice(`flag-${flag.id}`, Finder.named(flag, lang), yesOrNo)));
    more.push(choice("qualified", say("qualified"), [["", say("any")], ["yes", say("yes")]]));
    const keepLegend = (id, made) => by(id).replaceChildren(by(id).querySelector("legend"), ...made);
    keepLegend("sought", main);
    keepLegend("flags", more);
    const options = (id, list) => {
      by(id).replaceChildren(...list.map(([value, text]) => make("option", { value }, text)));
      by(id).value = chosen.get(id) || list[0][0];
    };
    options("within", [["", say("no_limit")], ...DISTANCES.map((km) => [String(km), `${number(km)} km`])]);
    options("count", COUNTS.map((n) => [String(n), number(n)]));
  }

  // The clauses that were chosen, in the order of the form.
  function clauses() {
    const asked = [];
    for (const facet of facets) {
      const term = by(`facet-${facet.id}`).value;
      if (term) asked.push({ facet: facet.id, terms: [term], at_least: 1 });
    }
    for (const { id } of flags) {
      const value = by(`flag-${id}`).value, clause = { facet: "flag", terms: [id], at_least: 1 };
      if (value) asked.push(value === "yes" ? clause : { not: clause });
    }
    if (by("qualified").value) asked.push(qualified);
    return asked;
  }

  function named(clause) {
    if (clause.named) return say("qualified");
    const { facet, terms } = clause.not ?? clause, isOne = facet === "flag";
    const term = directory.label(facet, terms[0], lang);
    if (isOne) return capital(term) + (clause.not ? ` (${say("no")})` : "");
    return headed(capital(directory.label(facet, null, lang)), term);
  }

  // -- Searching ---------------------------------------------------------------------------------

  function search(isNew) {
    const asked = clauses();
    const criteria = asked.length ? { and: asked } : { everything: true };
    const limit = Number(by("within").value) || Infinity;
    found = directory.nearest(origin, { criteria, unknown: by("unknown").value, k: Number(by("count").value), limit });
    found.asked = asked;
    by("found").hidden = false;
    drawFound();
    if (isNew) {
      by("found-head").focus();
      by("found-head").scrollIntoView();
    }
  }

  function refuse(error) {
    if (!(error instanceof Finder.Refused)) throw error;
    const from = (place) => make("button", { type: "button" }, place.county && !place.label.includes(place.county) ? `${place.label} (${place.county})` : place.label);
    const starts = error.candidates.map((place) => [from(place), () => start({ notes: [], ...place })]);
    starts.push(...error.offers.map((text) => [make("button", { type: "button" }, text), () => {
      by("place").value = text;
      read();
    }]));
    for (const [button, act] of starts) button.addEventListener("click", act);
    const lead = error.candidates.length ? say("candidates") : error.offers.length ? say("offers") : "";
    by("place-error").replaceChildren(make("p", {}, say(`refused_${error.reason}`)), make("p", {}, lead), ...starts.map(([button]) => button));
    by("place").setAttribute("aria-invalid", "true");
    by("found").hidden = true;
    origin = null;
  }

  // Search from a place, and say what cannot be.
  function attempt(act) {
    by("place-error").replaceChildren();
    by("place").removeAttribute("aria-invalid");
    try {
      act();
    } catch (error) {
      refuse(error);
    }
  }

  function start(place) {
    attempt(() => {
      origin = place;
      search(true);
    });
  }

  function read() {
    attempt(() => {
      origin = gazetteer.read(by("place").value);
      search(true);
    });
  }

  function locate() {
    const fail = () => attempt(() => {
      throw new Finder.Refused("no_position");
    });
    if (!navigator.geolocation) {
      fail();
      return;
    }
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      start({ lat: coords.latitude, lon: coords.longitude, radius: coords.accuracy / 1000, label: "", precision: "unknown", notes: [] });
    }, fail);
  }

  // -- The list ----------------------------------------------------------------------------------

  const km = (value) => number(value, value < 9.95 ? 1 : 0);
  const precisionOf = (clinic) => directory.says[`precision.${clinic.precision}`][lang];

  function drawFound() {
    const { matches, eligible, possible, unlocated, inside, limit, nearer, certain } = found;
    const lines = [origin.label ? say("from", { label: origin.label, radius: km(origin.radius) }) : say("from_here", { radius: km(origin.radius) })];
    lines.push(...origin.notes.map(([key, values]) => say(`note_${key}`, { note: values[lang], ...values })));
    lines.push(say("counts", { shown: number(matches.length), eligible: number(eligible), possible: number(possible) }));
    if (inside) lines.push(say("inside", { km: number(limit), certain: number(inside[0]), possible: number(inside[1]) }));
    if (unlocated) lines.push(say("unlocated", { n: number(unlocated) }));
    if (matches.length) lines.push(say(certain ? "certain" : "uncertain"));
    else lines.push(say("nothing"));
    if (nearer.length) lines.push(say("nearer", { names: nearer.map((no) => directory.clinics[no].name).join("; ") }));
    by("summary").replaceChildren(...lines.map((line) => make("p", {}, line)));
    by("hits").replaceChildren(...matches.map(hit));
    drawLegend();
    map.show(found, origin);
  }

  function hit(match) {
    const { clinic, rank, truth } = match, isSure = truth === Finder.YES;
    const text = Finder.distanceText(match, directory, lang);
    const straight = say("straight", { far: km(match.km) }), isSpan = text !== `${km(match.km)} km`;
    const details = isSpan ? [straight] : [];
    if (match.high - match.low >= 0.1) {
      const parts = match.high < 9.95 ? 10 : 1, places = parts === 10 ? 1 : 0;
      const ends = [Math.floor(match.low * parts + 1e-6) / parts, Math.ceil(match.high * parts - 1e-6) / parts];
      details.push(say("interval", { low: number(ends[0], places), high: number(ends[1], places) }));
    }
    if (clinic.precision !== "unknown") details.push(say("position", { what: precisionOf(clinic) }));
    const contacts = [];
    const digits = (clinic.phone ?? "").replace(/[^0-9+]/g, "");
    if (clinic.phone) contacts.push(make("li", {}, headed(say("phone"), ""), digits.length >= 7 && digits.length <= 15 ? make("a", { href: `tel:${digits}` }, clinic.phone) : clinic.phone));
    if (clinic.website) contacts.push(make("li", {}, headed(say("website"), ""), link(clinic.website, clinic.website)));
    const item = make("li", { class: isSure ? "hit" : "hit maybe", id: `hit-${rank}`, tabindex: "-1" },
      make("h3", {}, `${rank}. ${clinic.name}`),
      make("p", { class: "truth" }, say(isSure ? "confirmed" : "possible")),
      make("p", { class: "far" }, isSpan ? text : straight),
      details.length ? make("p", {}, details.join("; ")) : null,
      make("p", {}, addressOf(clinic)),
      contacts.length ? make("ul", { class: "contacts" }, contacts) : null,
      askedFor(match), asking(match), known(clinic));
    for (const [event, isNear] of [["mouseenter", true], ["mouseleave", false], ["focusin", true], ["focusout", false]]) {
      item.addEventListener(event, () => map.point(rank, isNear));
    }
    return item;
  }

  function addressOf({ street_address: street, city, province, postal_code: code }) {
    return [street, city, [province, code].filter(Boolean).join(" ")].filter(Boolean).join(", ");
  }

  const truthWord = (truth) => say({ [Finder.YES]: "yes", [Finder.NO]: "no" }[truth] ?? "not_known");

  function askedFor({ clinic, service }) {
    if (!found.asked.length) return null;
    const rows = found.asked.map((clause) => {
      const truth = directory.truth(clause, clinic, service);
      const word = make("span", { class: truth === Finder.UNKNOWN ? "open" : null }, truthWord(truth));
      return make("li", {}, `${named(clause)} \u2013 `, word);
    });
    return make("div", {}, make("h4", {}, say("asked")), make("ul", {}, rows));
  }

  function asking(match) {
    const { deciding, more } = directory.questions(match, found.criteria, lang), all = [...deciding, ...more];
    if (!all.length) return null;
    const list = make("ul", {}, all.map((text) => make("li", {}, text)));
    return make("details", { class: "ask", open: match.truth === Finder.UNKNOWN }, make("summary", {}, say("questions")), list);
  }

  // What is stated of a clinic, each with the pages that say so.
  function known(clinic) {
    const services = clinic.services.flatMap((service) => {
      const facts = Object.entries(service.facts).flatMap(([facet, { terms }]) => terms.map(({ id, truth }) => fact(clinic, service, facet, id, truth)));
      for (const [name, { low, high }] of Object.entries(service.quantities)) {
        const quantity = directory.quantities[name];
        const size = [...new Set([low, high].map((end) => number(end, end % 1 ? 2 : 0)))].join("\u2013");
        facts.push(stated(headed(capital(Finder.named(quantity, lang)), `${size} ${quantity.unit}`), clinic.evidence.filter((one) => one.facet === name && isOf(one, service))));
      }
      return [
        clinic.services.length > 1 ? make("h4", {}, say("service", { id: service.service_id })) : null,
        service.combined ? make("p", {}, say("combined")) : null,
        facts.length ? make("ul", {}, facts) : make("p", {}, say("nothing_known")),
      ];
    });
    const fields = clinic.evidence.filter(({ facet }) => texts[`field_${facet}`]).map((one) => {
      const text = texts[`${one.facet}_${one.term}`]?.[lang] ?? one.term;
      return stated(headed(capital(say(`field_${one.facet}`)), text), [one]);
    });
    const more = ["operator", "notes"].filter((name) => clinic[name]).map((name) => make("p", {}, headed(say(name), clinic[name])));
    return make("details", {}, make("summary", {}, say("known")), services, more, fields.length ? make("ul", {}, fields) : null);
  }

  const isOf = ({ service_id: of }, { service_id: id }) => of === null || of === id;

  function fact(clinic, service, facet, term, truth) {
    const evidence = clinic.evidence.filter((one) => one.facet === facet && one.term === term && isOf(one, service));
    const label = directory.label(facet, term, lang);
    const name = facet === "flag" ? capital(label) : headed(capital(directory.label(facet, null, lang)), label);
    return stated(`${name} \u2013 ${say(truth)}`, evidence, truth);
  }

  function stated(text, evidence, believed = "yes") {
    const sources = evidence.map(({ truth, source_url: address, source_class: kind, page_date: day, checked_on: checked }) => {
      const named = [say(`source_${kind}`), day ?? checked].filter(Boolean).join(", ") + (truth === believed ? "" : ` \u2013 ${say(truth)}`);
      return link(address, named);
    });
    const list = sources.flatMap((source, at) => (at ? ["; ", source] : [source]));
    return make("li", {}, `${text} (`, list.length ? list : say("no_source"), ")");
  }

  // -- Words of the page -------------------------------------------------------------------------

  function speak() {
    document.documentElement.lang = lang;
    document.title = say("title");
    for (const one of document.querySelectorAll("[data-text]")) one.textContent = say(one.dataset.text);
    const language = by("language");
    language.lang = lang === "fr" ? "en" : "fr";
    for (const name of ["in", "out", "all"]) by(`zoom-${name}`).setAttribute("aria-label", say(`zoom_${name}`));
    const { id, date: day } = snapshot;
    by("data").textContent = say(day ? "data" : "data_undated", { n: number(directory.clinics.length), id, day });
    by("guide").querySelector("ul").replaceChildren(...directory.guide.map((both) => make("li", {}, both[lang])));
    by("credit").textContent = say("credit");
    drawChoices();
    if (found && origin) drawFound();
  }

  // Of several clinics some may be confirmed and some possible.
  const badge = (text, truths) => {
    const wide = Math.max(24, 12 + 8 * text.length), kinds = new Set(truths);
    const kind = kinds.size > 1 ? " both" : kinds.has(Finder.YES) ? "" : " maybe";
    return make("svg:g", { class: `mark${kind}` },
      make("svg:rect", { x: -wide / 2, y: -12, width: wide, height: 24, rx: 12 }), make("svg:text", { y: 5 }, text));
  };
  const STAR = "M0-12 3.5-3.5 12-3.5 5 2.5 7.5 11 0 6-7.5 11-5 2.5-12-3.5-3.5-3.5z";

  function drawLegend() {
    const keys = [["key_confirmed", badge("1", [Finder.YES])], ["key_possible", badge("2", [Finder.UNKNOWN])],
      ["key_both", badge("1, 2", [Finder.YES, Finder.UNKNOWN])],
      ["key_origin", make("svg:path", { class: "origin", d: STAR })], ["key_doubt", make("svg:circle", { class: "doubt", r: 10 })]];
    by("legend").replaceChildren(...keys.map(([key, shape]) => make("span", {},
      make("svg:svg", { viewBox: "-24 -13 48 26", "aria-hidden": "true" }, shape), ` ${say(key)}`)));
  }

  // -- The map -----------------------------------------------------------------------------------

  const map = (() => {
    const RADIANS = Math.PI / 180, KM_PER_DEGREE = 111.32, NEAR_DEGREES = 8;
    const FIXED = { "vector-effect": "non-scaling-stroke" };
    // Mercator, in degrees of longitude; y grows downwards.
    const flat = ({ lat, lon }) => [lon, -Math.log(Math.tan((45 + lat / 2) * RADIANS)) / RADIANS];
    let box = [-95, -70, 20, 20], shown = [], from = null, drag = null, pinch = 0;
    const land = make("svg:g"), circles = make("svg:g"), towns = make("svg:g"), marks = make("svg:g");
    svg.append(land, circles, towns, marks);

    function outline(lines, step, isClosed) {
      return lines.map((steps) => {
        let lon = 0, lat = 0, path = "";
        for (let at = 0; at < steps.length; at += 2) {
          lon += steps[at];
          lat += steps[at + 1];
          path += `${at ? "L" : "M"}${flat({ lat: lat * step, lon: lon * step }).map((one) => one.toFixed(4)).join(" ")}`;
        }
        return path + (isClosed ? "Z" : "");
      }).join("");
    }

    // The land at a scale, made when it is first looked at.
    const scales = {};
    function landAt(name) {
      if (!scales[name]) {
        const layers = base[name], shape = (part) => outline(layers[part], layers.step, part !== "borders");
        const paths = ["land", "lakes", "borders"].map((part) => make("svg:path", { class: part, ...FIXED, "fill-rule": "evenodd", d: shape(part) }));
        scales[name] = make("svg:g", {}, paths);
      }
      return scales[name];
    }

    // The size is told, not asked for: asking would lay the page out once more.
    let size = { width: 500, height: 400 };
    const perPixel = () => Math.max(box[2] / size.width, box[3] / size.height);
    new ResizeObserver(([{ contentRect }]) => {
      if (!contentRect.width) return;
      size = contentRect;
      fit();
    }).observe(svg);
    const put = (shape, [x, y], scale) => shape.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);

    // Where something of a size in pixels stands: its middle, and half its width and height.
    const areaAt = ([x, y], wide, high, scale) => ({ x, y, wide: (wide / 2) * scale, high: (high / 2) * scale });
    const touch = (one, other) => Math.abs(one.x - other.x) < one.wide + other.wide && Math.abs(one.y - other.y) < one.high + other.high;

    // Marks that would touch are one, with the numbers of all; beside the star, not on it.
    function groups(scale) {
      const star = from && areaAt(flat(from), 24, 24, scale), made = [];
      const place = (group) => {
        const area = areaAt(flat(group.matches[0].clinic), 16 + 8 * numbers(group).length, 28, scale);
        if (star && touch(area, star)) area.y = star.y - star.high - area.high;
        group.area = area;
      };
      for (const match of shown) {
        const group = { matches: [match] };
        place(group);
        for (let at; (at = made.findIndex((one) => touch(one.area, group.area))) >= 0;) {
          group.matches = [...made.splice(at, 1)[0].matches, ...group.matches].sort((one, other) => one.rank - other.rank);
          place(group);
        }
        made.push(group);
      }
      return made;
    }

    function numbers({ matches }) {
      const ranks = matches.map(({ rank }) => rank);
      return ranks.length > 4 ? `${ranks.slice(0, 3).join(", ")} +${ranks.length - 3}` : ranks.join(", ");
    }

    function draw() {
      svg.setAttribute("viewBox", box.join(" "));
      const scale = perPixel(), layer = landAt(box[2] < NEAR_DEGREES ? "near" : "far");
      if (land.firstChild !== layer) land.replaceChildren(layer);
      const grouped = groups(scale), taken = grouped.map(({ area }) => area);
      const made = grouped.map(({ matches, area }) => {
        const mark = badge(numbers({ matches }), matches.map(({ truth }) => truth));
        put(mark, [area.x, area.y], scale);
        mark.prepend(make("svg:title", {}, matches.map(({ rank, clinic }) => `${rank}. ${clinic.name}`).join("; ")));
        mark.dataset.ranks = matches.map(({ rank }) => rank).join(" ");
        mark.addEventListener("click", () => lookAt(matches));
        return mark;
      });
      if (from) {
        const star = make("svg:path", { class: "origin", d: STAR }, make("svg:title", {}, from.label || say("here")));
        put(star, flat(from), scale);
        taken.push(areaAt(flat(from), 24, 24, scale));
        made.push(star);
      }
      marks.replaceChildren(...made);
      // The buttons and the scale lie on the map.
      const bar = drawBar(scale) + 16;
      for (const [x, y, wide, high] of [[28, 74, 44, 136], [8 + bar / 2, size.height - 23, bar, 32]]) {
        taken.push(areaAt([box[0] + x * scale, box[1] + y * scale], wide, high, scale));
      }
      towns.replaceChildren(...base.towns.flatMap(([name, lon, lat]) => {
        const at = flat({ lat, lon }), wide = 7.2 * name.length, side = wide / 2 + 6;
        const areaBeside = ([right, down]) => areaAt([at[0] + right * scale, at[1] + down * scale], wide, 14, scale);
        // To the right, to the left, below or above; farther off where a mark stands on the town.
        const beside = [[side, 0], [-side, 0], [0, 14], [0, -14], [0, 24], [0, -24], [side + 10, 0], [-side - 10, 0]].find((spot) => !taken.some((one) => touch(one, areaBeside(spot))));
        if (!beside) return [];
        taken.push(areaBeside(beside));
        const label = make("svg:text", { class: "town", "paint-order": "stroke", x: beside[0], y: beside[1] + 4 }, name), dot = make("svg:circle", { class: "town-dot", r: 2.5 });
        put(label, at, scale);
        put(dot, at, scale);
        return [dot, label];
      }));
    }

    // Look closer where clinics of one mark stand apart; else go to the first in the list.
    function lookAt(matches) {
      const spots = matches.map(({ clinic }) => flat(clinic)), [[x, y]] = spots;
      if (spots.some((one) => Math.hypot(one[0] - x, one[1] - y) > 1e-3)) {
        frame(spots);
        return;
      }
      const item = by(`hit-${matches[0].rank}`);
      item.focus();
      item.scrollIntoView({ block: "nearest" });
    }

    // The scale; its length in pixels.
    function drawBar(scale) {
      const middle = -(box[1] + box[3] / 2) * RADIANS, lat = 2 * Math.atan(Math.exp(middle)) - Math.PI / 2;
      const kmPerPixel = scale * KM_PER_DEGREE * Math.cos(lat), most = kmPerPixel * 120, power = 10 ** Math.floor(Math.log10(most));
      const round = [5, 2, 1].find((one) => one * power <= most) * power;
      by("bar").style.width = `${round / kmPerPixel}px`;
      by("bar-text").textContent = `${number(round, round < 1 ? 1 : 0)} km`;
      return round / kmPerPixel;
    }

    function zoom(factor, [x, y] = [0.5, 0.5]) {
      const wide = Math.min(60, Math.max(0.02, box[2] * factor)), grown = wide / box[2];
      box = [box[0] + box[2] * (1 - grown) * x, box[1] + box[3] * (1 - grown) * y, wide, box[3] * grown];
      draw();
    }

    const reachOf = ({ radius, lat }) => radius / (KM_PER_DEGREE * Math.cos(lat * RADIANS));

    // All marks, and the circles that they may be anywhere in.
    function fit() {
      frame([...shown.map(({ clinic }) => clinic), ...(from ? [from] : [])].flatMap((one) => {
        const [x, y] = flat(one), reach = one.radius ? reachOf(one) : 0;
        return [[x - reach, y - reach], [x + reach, y + reach]];
      }));
    }

    // Show some spots and a little around them.
    function frame(spots) {
      if (!spots.length) return;
      const xs = spots.map(([x]) => x), ys = spots.map(([, y]) => y);
      const [west, east, north, south] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      // Right of the buttons, which lie on the map.
      const tools = 60, inner = size.width - tools, shape = size.height / inner;
      const wide = Math.max(0.05, east - west, (south - north) / shape) * 1.35, scale = wide / inner;
      const left = (west + east - wide) / 2 - tools * scale, top = (north + south - wide * shape) / 2;
      box = [left, top, size.width * scale, size.height * scale];
      draw();
    }

    function show({ matches }, place) {
      [shown, from] = [matches, place];
      const circle = (one, rank) => {
        const [cx, cy] = flat(one), r = reachOf(one);
        return make("svg:circle", { class: "doubt", ...FIXED, cx, cy, r, "data-rank": rank });
      };
      circles.replaceChildren(circle(from, 0), ...shown.filter(({ clinic }) => clinic.radius).map(({ clinic, rank }) => circle(clinic, rank)));
      svg.setAttribute("aria-label", say("map", { n: number(shown.length) }));
      fit();
    }

    function point(rank, isNear) {
      for (const mark of marks.children) {
        if (mark.dataset.ranks?.split(" ").includes(String(rank))) mark.classList.toggle("near", isNear);
      }
      for (const circle of circles.children) if (circle.dataset.rank === String(rank)) circle.classList.toggle("near", isNear);
      by(`hit-${rank}`)?.classList.toggle("near", isNear);
    }

    const spot = ({ clientX, clientY }) => {
      const { left, top, width, height } = svg.getBoundingClientRect();
      return [(clientX - left) / width, (clientY - top) / height];
    };
    const pan = (x, y) => {
      box = [box[0] + x * box[2], box[1] + y * box[3], box[2], box[3]];
      draw();
    };
    const fingers = new Map();
    svg.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, spot(event));
      drag = spot(event);
      pinch = 0;
    });
    svg.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, spot(event));
      const [one, two] = [...fingers.values()];
      if (two) {
        const apart = Math.hypot(one[0] - two[0], one[1] - two[1]);
        if (pinch) zoom(pinch / apart, [(one[0] + two[0]) / 2, (one[1] + two[1]) / 2]);
        pinch = apart;
      } else {
        const here = spot(event);
        pan(drag[0] - here[0], drag[1] - here[1]);
        drag = here;
      }
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) svg.addEventListener(name, (event) => fingers.delete(event.pointerId));
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, spot(event));
    }, { passive: false });
    const KEYS = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] };
    svg.addEventListener("keydown", (event) => {
      if (KEYS[event.key]) pan(...KEYS[event.key]);
      else if (event.key === "+" || event.key === "=") zoom(0.7);
      else if (event.key === "-") zoom(1.4);
      else return;
      event.preventDefault();
    });
    by("zoom-in").addEventListener("click", () => zoom(0.7));
    by("zoom-out").addEventListener("click", () => zoom(1.4));
    by("zoom-all").addEventListener("click", fit);
    window.addEventListener("beforeprint", fit);
    return { show, point };
  })();

  // -- Begin -------------------------------------------------------------------------------------

  // No look-up of the names of linked hosts before somebody follows a link.
  document.head.append(make("meta", { "http-equiv": "x-dns-prefetch-control", content: "off" }));
  speak();
  by("place").addEventListener("focus", () => {
    by("names").append(...gazetteer.suggestions().map((value) => make("option", { value })));
  }, { once: true });
  by("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    read();
  });
  by("ask").addEventListener("change", (event) => {
    if (origin && event.target.id !== "place") attempt(() => search(false));
  });
  by("locate").addEventListener("click", locate);
  by("language").addEventListener("click", () => {
    lang = lang === "fr" ? "en" : "fr";
    by("place-error").replaceChildren();
    speak();
  });
  by("again").addEventListener("click", () => {
    by("place").focus();
    by("place").scrollIntoView({ block: "center" });
  });
  by("print").addEventListener("click", () => window.print());
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("#hits .ask:not([open])")];
    for (const one of folded) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });
  document.documentElement.dataset.ready = "";
})();
