/* exported Finder */
"use strict";
// The package's answers, computed in a page: places read, criteria weighed, clinics ranked.
// It knows no document. Where it cannot read a text as Python does, it refuses.
const Finder = (() => {
  const NO = 0, UNKNOWN = 1, YES = 2;
  const FAR_KM = 2000, TOO_LONG = 1000, LONGEST_NAME = 7;

  // -- Unpack ------------------------------------------------------------------------------------

  async function inflate(base64) {
    const text = atob(base64), bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  const inflateJson = async (base64) => JSON.parse(new TextDecoder().decode(await inflate(base64)));

  // Columns of numbers, byte plane by byte plane, each less the one before; signed ones zigzag.
  function readCodes(bytes) {
    const planes = { number: 3, lat: 3, lon: 3, name: 2, quality: 1 };
    const n = bytes.length / 12, table = {};
    let at = 0;
    for (const [name, count] of Object.entries(planes)) {
      const column = (table[name] = new Int32Array(n));
      const isSigned = name !== "number", isSum = name !== "quality";
      for (let row = 0, sum = 0; row < n; row += 1) {
        let value = bytes[at + row];
        if (count > 1) value |= bytes[at + n + row] << 8;
        if (count > 2) value |= bytes[at + 2 * n + row] << 16;
        if (isSigned && isSum) value = (value >>> 1) ^ -(value & 1);
        column[row] = sum = isSum ? sum + value : value;
      }
      at += count * n;
    }
    table.areas = new Map();
    for (let row = 0, start = 0; row < n; row += 1) {
      const area = Math.floor(table.number[row] / 2000);
      if (row + 1 === n || Math.floor(table.number[row + 1] / 2000) !== area) {
        table.areas.set(area, [start, row + 1]);
        start = row + 1;
      }
    }
    return table;
  }

  // The first row from low on whose number is not below this one.
  function bisect(numbers, number, low, high) {
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[middle] < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // -- Distances ---------------------------------------------------------------------------------

  const radians = (degrees) => degrees * (Math.PI / 180);
  const round6 = (km) => Math.round(km * 1e9);
  const wgs84 = () => geodesic.Geodesic.WGS84;

  function geodesicKm(lat1, lon1, lat2, lon2) {
    return wgs84().Inverse(lat1, lon1, lat2, lon2, geodesic.Geodesic.DISTANCE).s12 / 1000;
  }

  // On a sphere, to judge doubt by: as geo.sphere_km.
  function sphereKm(lat1, lon1, lat2, lon2) {
    const north = radians(lat2 - lat1) / 2, east = radians(lon2 - lon1) / 2;
    const chord = Math.sin(north) ** 2 + Math.cos(radians(lat1)) * Math.cos(radians(lat2)) * Math.sin(east) ** 2;
    return 2 * 6371.0088 * Math.asin(Math.sqrt(Math.min(1, chord)));
  }

  // The ends of the 90 % interval, as geo.distance_interval_km.
  const sigmaKm = (one, other) => 0.505 * Math.sqrt(one * one + other * other);
  const lowKm = (far, sigma) => Math.max(0, far - 1.645 * sigma);

  function highKm(far, sigma) {
    if (sigma === 0) return far;
    const spread = (2 * 1.645 * sigma * far * far) / (far + sigma);
    return Math.max(far, Math.sqrt(far * far + spread + 4.605 * sigma * sigma));
  }

  // As show.text.distance_text: the interval where it matters, rounded outwards.
  function distanceText({ km, low, high, clinic }, { remarks, city_level: cityLevel }, lang) {
    const isCity = cityLevel.includes(clinic.precision), wide = high - low;
    const number = (value, places) => {
      const [between, point] = lang === "fr" ? ["\u00a0", ","] : [",", "."];
      const [whole, part] = value.toFixed(places).split(".");
      return whole.replace(/\B(?=(\d{3})+$)/g, between) + (part ? point + part : "");
    };
    if (wide <= (isCity ? 0 : Math.max(1, 0.2 * km))) return `${number(km, km < 9.95 ? 1 : 0)} km`;
    const [parts, places] = high < 2 ? [10, 1] : [1, 0];
    const ends = [Math.floor(low * parts + 1e-6) / parts, Math.ceil(high * parts - 1e-6) / parts];
    const span = fill(remarks.span[lang], { low: number(ends[0], places), high: number(ends[1], places) });
    const remark = isCity ? "city" : clinic.precision === "unknown" ? "unknown" : "";
    return remark ? `${span}, ${remarks[remark][lang]}` : span;
  }

  // -- Words -------------------------------------------------------------------------------------

  const FIRST = "abceghjklmnprstvxy", LETTERS = "abceghjklmnprstvwxyz";
  const ONTARIO = "klmnp";
  const TO_DIGIT = { o: "0", i: "1", l: "1", s: "5", z: "2", b: "8" };
  const TO_LETTER = { 5: "s", 2: "z", 8: "b" };
  const LIGATURES = { œ: "oe", æ: "ae", ß: "ss", ø: "o", đ: "d", ł: "l" };
  const TAIL = new Set(["on", "ont", "ontario", "canada"]);
  // What is not written so is refused: brackets, marks between sites, other scripts.
  const PLAIN = /^[A-Za-zÀ-ÖØ-öø-ÿŒœ0-9 ,.'’#/-]+$/;
  const CROSSING = new Set(["and", "at", "et", "corner", "intersection"]);
  const BETWEEN_SITES = new Set(["-", "--", "to", "vers", "à"]);
  const PHONE = /[0-9]{3}[ .-]?[0-9]{4}(?:,? ?(?:ext|poste|x)[.:]? ?[0-9]{1,5})?$/i;
  const DISTANCE = /\b[0-9][0-9.,]*\s*(?:km|kms|kilomet\w+|mi|miles?|mins?|minutes?|hours?|heures?)\b/i;
  const GLUED = /(?<=[A-Za-z])(?=[KLMNP][0-9][A-Z][ -]?[0-9][A-Z][0-9](?![A-Z0-9]))/gi;
  const SHIFTED = /(?<![A-Z0-9])(?:([KLMNP][0-9])[ -]([A-Z][0-9][A-Z][0-9])|([KLMNP][0-9][A-Z][0-9])[ -]([A-Z][0-9]))(?![A-Z0-9])/gi;
  const WELL_ENDED = /[ ,][KLMNP][0-9][A-Z] [0-9][A-Z][0-9]$/;
  const AND = /(?<=\s)et(?=\s(?!al\b))/gi;
  const ELISION = /(?<=(?<![\p{L}\p{N}_])[dl])['’](?!ontario)(?=[\p{L}\p{N}])/giu;
  const APOSTROPHE = /(?<=[\p{L}\p{N}])['’](?=[\p{L}\p{N}])/gu;
  const COORDINATES = /^[([]?[ \t]*([+-]?[0-9]{1,3}(?:\.[0-9]+)?)°?[ \t]*[,;/ \t][ \t]*([+-]?[0-9]{1,3}(?:\.[0-9]+)?)°?[ \t]*[)\]]?$/;

  function fold(text) {
    const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    return plain.replace(/[œæßøđł]/g, (letter) => LIGATURES[letter]);
  }

  // Folded words, and the number of the part (between commas) that each stands in.
  function wordsOf(text) {
    const words = [], parts = [];
    fold(text).replace(APOSTROPHE, "").replace(/[^\p{L}\p{N},]/gu, " ").split(",").forEach((part, number) => {
      for (const word of part.split(" ").filter(Boolean)) {
        words.push(word);
        parts.push(number);
      }
    });
    return [words, parts];
  }

  const isDigit = (letter) => letter >= "0" && letter <= "9";

  function codeNumber(code) {
    if (!/^[a-z][0-9][a-z][0-9][a-z][0-9]$/.test(code)) return -1;
    const area = areaNumber(code.slice(0, 3)), unit = LETTERS.indexOf(code[4]);
    return area < 0 || unit < 0 ? -1 : area * 2000 + Number(code[3]) * 200 + unit * 10 + Number(code[5]);
  }

  function areaNumber(area) {
    const first = FIRST.indexOf(area[0]), last = LETTERS.indexOf(area[2]);
    return first < 0 || last < 0 || !isDigit(area[1]) ? -1 : first * 200 + Number(area[1]) * 20 + last;
  }

  const areaText = (area) => (FIRST[Math.floor(area / 200)] + (Math.floor(area / 20) % 10) + LETTERS[area % 20]).toUpperCase();

  function codeText(number) {
    const unit = number % 2000;
    const local = `${Math.floor(unit / 200)}${LETTERS[Math.floor(unit / 10) % 20]}${unit % 10}`;
    return `${areaText(Math.floor(number / 2000))} ${local.toUpperCase()}`;
  }

  // A code in which one character at the most is mistaken for its look-alike.
  function repairedCode(code) {
    const wrong = [...code].flatMap((c, i) => (isDigit(c) === (i % 2 === 1) ? [] : [i]));
    if (wrong.length !== 1) return -1;
    const [at] = wrong, other = (at % 2 ? TO_DIGIT : TO_LETTER)[code[at]];
    return other === undefined ? -1 : codeNumber(code.slice(0, at) + other + code.slice(at + 1));
  }

  // What reads as a postal code, from the end: the exact ones, then those repaired.
  function findCodes(words) {
    const exact = [], repaired = [];
    for (let i = words.length - 1; i >= 0; i -= 1) {
      const two = words[i].length === 3 && i > 0 && words[i - 1].length === 3;
      if (!two && words[i].length !== 6) continue;
      const start = two ? i - 1 : i, code = words.slice(start, i + 1).join("");
      const found = { number: codeNumber(code), start, stop: i + 1, written: "" };
      if (found.number >= 0) exact.push(found);
      else if (/[^\p{L}]/u.test(code) && /^[a-z0-9]+$/.test(code)) {
        found.number = repairedCode(code);
        found.written = code.toUpperCase();
        if (found.number >= 0) repaired.push(found);
      }
    }
    return [...exact, ...repaired];
  }

  // Letters dropped, added, changed or swapped with the next.
  function slipsBetween(one, other) {
    const rows = [[...Array(other.length + 1).keys()]];
    for (let i = 1; i <= one.length; i += 1) {
      const row = [i];
      for (let j = 1; j <= other.length; j += 1) {
        const same = one[i - 1] === other[j - 1] ? 0 : 1;
        row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + same);
        const isSwapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
        if (isSwapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
      }
      rows.push(row);
    }
    return rows[one.length][other.length];
  }

  class Refused extends Error {
    constructor(reason, { candidates = [], offers = [] } = {}) {
      super(reason);
      Object.assign(this, { reason, candidates, offers });
    }
  }

  // -- Places ------------------------------------------------------------------------------------

  class Gazetteer {
    constructor(data, codes) {
      Object.assign(this, data);
      this.codes = codes;
      this.keys = new Map(data.aliases.split("\n").map((line) => {
        const [key, numbers] = line.split("\t");
        return [key, numbers.split(",").map(Number)];
      }));
      for (const name of ["elsewhere", "states", "directions", "streets", "numbered_roads", "units", "about", "commas", "whole"]) this[name] = new Set(this[name]);
      this.counts = new Int32Array(this.name.length);
      for (const name of codes.name) this.counts[name] += 1;
    }

    key(words) {
      return words.map((word) => this.short[word] ?? word).join("");
    }

    find(number) {
      const bounds = this.codes.areas.get(Math.floor(number / 2000));
      if (!bounds) return -1;
      const row = bisect(this.codes.number, number, ...bounds);
      return row < bounds[1] && this.codes.number[row] === number ? row : -1;
    }

    atPlace(number) {
      const [lat, lon] = [this.lat[number], this.lon[number]];
      const precision = this.radius_km[number] > this.wide ? "municipality" : "place";
      const name = `${this.name[number]}, ON`;
      return { lat, lon, radius: this.radius[number], label: name, precision, county: this.county[number], notes: [] };
    }

    atRow(row, code) {
      const { number, lat, lon, name, quality } = this.codes;
      const label = `${codeText(number[row])}, ${this.name[name[row]]}, ON`;
      const notes = code.written ? [["read_as", { written: code.written, code: codeText(code.number) }]] : [];
      const radius = this.radii[quality[row]];
      return { lat: lat[row] / 1e4, lon: lon[row] / 1e4, radius, label, precision: "postal_code", notes };
    }

    // The middle of some codes, and a radius from how far they, or those of an area, lie from it.
    around([low, high], label, precision, notes = [], [first, last] = [low, high]) {
      const { lat, lon } = this.codes;
      const middle = (column) => {
        const sorted = column.slice(low, high).sort(), half = sorted.length >> 1;
        return (sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2) / 1e4;
      };
      const [north, east] = [middle(lat), middle(lon)], far = new Float64Array(last - first);
      for (let row = first; row < last; row += 1) far[row - first] = sphereKm(north, east, lat[row] / 1e4, lon[row] / 1e4);
      far.sort();
      const radius = Math.max(1, this.around_factor * far[Math.floor(0.9 * (far.length - 1))]);
      return { lat: north, lon: east, radius, label: `${label}, ON`, precision, notes };
    }

    atArea(area, notes = []) {
      return this.around(this.codes.areas.get(area), areaText(area), "fsa", notes);
    }

    // A code that is alone and not listed.
    unlisted(number) {
      const label = codeText(number), area = Math.floor(number / 2000);
      if (!ONTARIO.includes(label[0].toLowerCase())) throw new Refused("elsewhere");
      if (!this.codes.areas.has(area)) throw new Refused("unknown_code");
      if (Math.floor(area / 20) % 10 === 0) return this.atArea(area, [["unlisted_area", { code: label, area: label.slice(0, 3) }]]);
      const [low, high] = this.codes.areas.get(area), at = bisect(this.codes.number, number, low, high);
      const rows = [Math.max(low, at - this.beside), Math.min(high, at + this.beside)];
      return this.around(rows, label, "postal_code", [["unlisted_beside", { code: label }]], [low, high]);
    }

    typed(found) {
      const [lat, lon] = found.slice(1).map(Number);
      const decimals = Math.min(...found.slice(1).map((text) => (text.split(".")[1] ?? "").length));
      if (decimals < 2) throw new Refused("coordinates_short");
      const [south, north, west, east] = this.box;
      if (!(lat >= south && lat <= north && lon >= west && lon <= east)) throw new Refused("coordinates_outside");
      const label = `${found[1]}, ${found[2]}`;
      return { lat, lon, radius: 79 * 10 ** -decimals, label, precision: "unknown", notes: [] };
    }

    // Where a text is, as OfflineGeocoder.geocode says, or why it is not read here.
    read(given) {
      let text = given.trim();
      if (!text) throw new Refused("empty");
      if (text.length > TOO_LONG) throw new Refused("unreadable");
      const typed = text.includes(".") && COORDINATES.exec(text);
      if (typed) return this.typed(typed);
      const sites = text.toLowerCase().split(/\s+/).some((word) => BETWEEN_SITES.has(word));
      if (!PLAIN.test(text) || / (?:un|non )organi/i.test(text)) throw new Refused("unreadable");
      if (sites || PHONE.test(text) || DISTANCE.test(text)) throw new Refused("unreadable", { offers: this.offers(text) });
      if (!WELL_ENDED.test(text)) {
        text = text.replace(GLUED, " ").replace(SHIFTED, (...found) => found.slice(1, 5).filter(Boolean).join(""));
      }
      text = text.replace(AND, " and ").replace(ELISION, " ");
      const [words, parts] = wordsOf(text), codes = findCodes(words);
      const code = codes.find((one) => this.find(one.number) >= 0) ?? codes.find((one) => !one.written);
      if (!code) return this.readName(words, parts, text);
      const isRival = (one) => !one.written && one.number !== code.number && this.find(one.number) >= 0;
      const row = this.find(code.number), offers = this.offers(text);
      if (codes.some(isRival)) throw new Refused("several_codes", { offers });
      const rest = (list) => [...list.slice(0, code.start), ...list.slice(code.stop)];
      const other = rest(words);
      if (row < 0 && other.length) throw new Refused("unreadable", { offers });
      if (row < 0) return this.unlisted(code.number);
      if (!this.agrees(row, other, rest(parts))) throw new Refused("check_town", { offers });
      const place = this.atRow(row, code);
      if (other.some((word) => isDigit(word[0]))) place.notes.push(["street_unused", {}]);
      return place;
    }

    // The names that are read as they stand.
    suggestions() {
      const isRead = (name) => {
        const key = this.key(wordsOf(name)[0]);
        return PLAIN.test(name) && !name.includes(",") && this.keys.has(key) && !this.special[key]?.[0].refused;
      };
      return [...new Set(this.name)].filter(isRead).sort();
    }

    // What can be searched for instead: a code or a town that the text holds.
    offers(text) {
      const [words] = wordsOf(text), found = findCodes(words).filter((one) => this.find(one.number) >= 0);
      const texts = found.map((one) => codeText(one.number));
      for (let stop = words.length; stop > 0 && texts.length < 3; stop -= 1) {
        for (let start = Math.max(0, stop - 7); start < stop; start += 1) {
          const numbers = this.keys.get(this.key(words.slice(start, stop)));
          if (!numbers) continue;
          const name = this.name[numbers[0]].split(" (")[0];
          if (!texts.includes(name)) texts.push(name);
          stop = start + 1;
          break;
        }
      }
      return texts.slice(0, 3);
    }

    // Ontario and Canada at the end.
    tail(words) {
      let stop = words.length, ontario = false;
      while (stop && TAIL.has(words[stop - 1])) {
        stop -= 1;
        ontario ||= words[stop] !== "canada";
      }
      return [stop, ontario];
    }

    // Whether words at an end, but for so many that are weighed already, may be elsewhere or a zip code.
    mayBeElsewhere(words, stop, weighed = 0) {
      if (/^[0-9]{4,5}$|^[0-9][a-z]{2}$/.test(words[stop - 1])) return true;
      const isElsewhere = (size) => size !== weighed && size <= stop && this.elsewhere.has(words.slice(stop - size, stop).join(""));
      return [1, 2, 3, 4].some(isElsewhere);
    }

    // A name alone ("Kingston, ON"), or behind a numbered street ("80 Wellesley St, Kingston").
    readName(words, parts, text) {
      const offers = this.offers(text), refuse = (why = "unreadable") => new Refused(why, { offers });
      if (words.length === 1 && words[0].length === 3 && ONTARIO.includes(words[0][0])) {
        const area = areaNumber(words[0]);
        if (this.codes.areas.has(area)) return this.atArea(area);
      }
      if (words.some((word) => /^[a-z][0-9][a-z]/.test(word))) throw refuse();
      const [stop, ontario] = this.whole.has(words.join(" ")) ? [words.length, false] : this.tail(words);
      if (!stop) throw refuse("whole_province");
      let start = this.partStart(parts, stop);
      const isAlone = start === 0 && !isDigit(words[0][0]), isRunOn = start === 0 && !isAlone;
      let numbers = stop - start <= LONGEST_NAME && this.keys.get(this.key(words.slice(start, stop)));
      if (isRunOn && !numbers) {
        // "80 Wellesley St Kingston": nothing may bind the name to the words before it.
        if (/[-/]/.test(text) || this.isUnit(words[stop - 1]) || words.some((word) => CROSSING.has(word))) throw refuse();
        ({ start, numbers } = this.townAtEnd(words, parts, stop) || { start });
      }
      if (!numbers) {
        if (!offers.length) offers.push(...this.likely(this.key(words.slice(start, stop))));
        throw refuse(start ? "unreadable" : "not_found");
      }
      // Read together with what stands before or behind, the words may mean something else.
      const isOpen = !ontario && (stop < words.length || (isRunOn && start > 0));
      const isWhole = !isOpen && this.whole.has(words.slice(start, stop).join(" "));
      if (!isWhole && this.mayBeElsewhere(words, stop, isOpen ? 0 : stop - start)) throw refuse();
      if (stop - start > 1 && this.compass[words[start]]) throw refuse();
      if (stop < words.length && this.keys.has(this.key(words.slice(start)))) throw refuse();
      if (start && !this.isNumberedStreet(words, parts, start)) throw refuse();
      const special = this.special[this.key(words.slice(start, stop))];
      if (isRunOn && start && special && special[2].label !== special[3].label) throw refuse();
      const answer = special?.[(start ? 2 : 0) + (ontario ? 1 : 0)];
      if (answer?.refused) throw new Refused(answer.refused, { candidates: answer.candidates });
      const place = answer ? { ...answer, notes: answer.notes.map(([en, fr]) => ["python", { en, fr }]) } : this.atPlace(numbers[0]);
      if (start) place.notes = [...place.notes, ["street_unused", {}]];
      if (place.precision === "place" && this.isOnNumberedRoad(words.slice(0, start))) place.radius *= this.out_of_town;
      return place;
    }

    // Highway 71, RR 2, 4th Line; but 14 Concession St is in a town.
    isOnNumberedRoad(words) {
      const follows = (word, before) => (this.numbered_roads.has(before) && /^\d+$/.test(word)) || (this.numbered_roads.has(word) && /^\d+(st|nd|rd|th)$/.test(before));
      return words.some((word, at) => at > 0 && follows(word, words[at - 1]));
    }

    // Whether what stands before a town is a numbered street, perhaps with its unit, and no other name.
    isNumberedStreet(words, parts, stop) {
      const first = this.partStart(parts, stop);
      if (!isDigit(words[0][0]) || this.commas.has(words[stop - 1])) return false;
      if (first && !(isDigit(words[first][0]) || this.units.has(words[first]))) return false;
      for (let end = first + 1; end <= stop; end += 1) {
        if (this.keys.has(this.key(words.slice(first, end)))) return false;
      }
      return true;
    }

    // Whether an address agrees with its code for certain: Python then answers with the code.
    agrees(row, words, parts, isPastUnit = false) {
      const [stop, ontario] = this.tail(words);
      if (!stop) return true;
      const own = this.codes.name[row], last = words[stop - 1], start = this.partStart(parts, stop);
      if (start && !(stop - start === 1 && this.states.has(last)) && words.slice(start, stop).every((word) => this.isUnit(word))) {
        return !isPastUnit && this.agrees(row, words.slice(0, start), parts.slice(0, start), true);
      }
      if (!ontario && ((stop - start === 1 && this.states.has(last)) || this.mayBeElsewhere(words, stop))) return false;
      const town = this.townAtEnd(words, parts, stop, own);
      if (!town) return town === null;
      return town.numbers.includes(own) || this.holds(town.numbers, row, own);
    }

    isUnit(word) {
      return (word.length < 5 && /[0-9]/.test(word)) || this.units.has(word);
    }

    // Where the part begins that ends before a word.
    partStart(parts, stop) {
      let start = stop;
      while (start && parts[start - 1] === parts[stop - 1]) start -= 1;
      return start;
    }

    // The longest known name at an end; null where there is none, undefined where Python may see another.
    townAtEnd(words, parts, stop, own = -1) {
      const first = this.partStart(parts, stop), found = [];
      if (this.commas.has(words[stop - 1])) return undefined;
      for (let start = stop - 1; start >= first && stop - start <= LONGEST_NAME; start -= 1) {
        const numbers = this.keys.get(this.key(words.slice(start, stop)));
        if (numbers && !(this.compass[words[start]] && start + 1 < stop)) found.push({ start, numbers });
      }
      if (!found.length) return this.about.has(words[stop - 1]) || this.compass[words[stop - 2]] ? undefined : null;
      const longest = found.at(-1), at = longest.start, before = words[at - 1];
      if (at === first) return longest;
      // A direction or a number before the name may be the street's.
      const isAfterType = at > first + 1 && this.streets.has(words[at - 2]);
      if (this.compass[before] && !isAfterType && this.keys.has(this.key([this.compass[before], ...words.slice(at, stop)]))) return undefined;
      if (found.length > 1 && this.directions.has(words[at]) && this.streets.has(before)) {
        // King Street West in Perth is far likelier than West Perth.
        const codes = found.map(({ numbers }) => Math.max(...numbers.map((one) => this.counts[one])));
        if (codes.at(-2) >= this.post_town && codes.at(-2) >= 4 * codes.at(-1)) found.pop();
      }
      const isOwn = found.length > 1 ? found.find(({ numbers }) => numbers.includes(own)) : undefined;
      const town = isOwn ?? found.at(-1);
      return isDigit(words[town.start - 1][0]) && !town.numbers.includes(own) ? undefined : town;
    }

    // Names that are a slip or two away, nearest first.
    likely(key) {
      const most = key.length < 6 ? 1 : 2, near = [];
      for (const [other, numbers] of this.keys) {
        const slips = Math.abs(other.length - key.length) > most ? Infinity : slipsBetween(key, other);
        if (slips <= most && other.length > 3) near.push([slips, this.name[numbers[0]].split(" (")[0]]);
      }
      return [...new Set(near.sort((a, b) => a[0] - b[0]).map(([, name]) => name))].slice(0, 3);
    }

    // Whether the nearest of some places holds a code: the code is then taken without a word.
    holds(numbers, row, own) {
      const lat = this.codes.lat[row] / 1e4, lon = this.codes.lon[row] / 1e4;
      const apart = (number) => sphereKm(lat, lon, this.lat[number], this.lon[number]);
      const [near] = [...numbers].sort((a, b) => apart(a) - apart(b));
      const rural = Boolean(this.codes.quality[row] & 16), kind = this.kind[near];
      if (kind === "county" || own === near || own === this.owner[near]) return false;
      if (rural && ["community", "neighbourhood", "reserve"].includes(kind)) return false;
      if (this.owner[own] === near) return true;
      const spare = this.owner[own] < 0 || rural ? 1.5 : 1;
      return apart(near) <= Math.max(12, this.radius_km[near], spare * this.reach_km[near]);
    }
  }

  // -- Criteria ----------------------------------------------------------------------------------

  const least = Math.min, most = Math.max;
  const LIMITS = { active: YES, uncertain: UNKNOWN, closed: NO };
  const POLICIES = { exclude: (truth) => truth === YES, include: (truth) => truth > NO, only: (truth) => truth === UNKNOWN };

  class Directory {
    constructor({ clinics, vocabulary, rules, yes, no, first_groups: first, more_groups: more, ...rest }) {
      Object.assign(this, rest);
      this.facets = vocabulary.facets;
      this.quantities = Object.fromEntries(vocabulary.quantities.map((one) => [one.id, one]));
      // Labels by facet and term: the rules' words where the directory has none.
      this.labels = {};
      for (const { id, labels, terms } of [...rules.facets, ...this.facets]) {
        const known = (this.labels[id] ??= { terms: {} });
        known.labels = labels;
        for (const term of terms) known.terms[term.id] = term;
      }
      this.columns = new Map(this.facets.flatMap(({ id, terms }) => terms.map((term) => `${id} ${term.id}`)).map((name, at) => [name, at]));
      this.truths = yes.map((columns, group) => {
        const truths = new Uint8Array(this.columns.size).fill(UNKNOWN);
        for (const column of columns) truths[column] = YES;
        for (const column of no[group]) truths[column] = NO;
        return truths;
      });
      let further = 0;
      this.clinics = clinics.map(({ services, location, ...clinic }, at) => ({
        ...clinic,
        services: services.map((service, i) => ({ ...service, group: i ? more[further++] : first[at] })),
        ...(location ?? { lat: null, lon: null, precision: null }),
        radius: location?.radius_km ?? null,
      }));
      this.located = this.clinics.flatMap((clinic, at) => (clinic.lat === null ? [] : [at]));
      this.compiled = new WeakMap();
      this.radii = this.clinics.map((clinic) => clinic.radius ?? 0);
    }

    // The term and all that hold it, the nearest first.
    above(facet, term) {
      const terms = this.facets.find(({ id }) => id === facet)?.terms ?? [], found = [];
      for (let at = terms.find(({ id }) => id === term); at; at = terms.find(({ id }) => id === at.parent)) found.push(at.id);
      return found;
    }

    // How a service answers canonical criteria, as Criteria.to_dict writes them.
    truth(criteria, clinic, service) {
      let compiled = this.compiled.get(criteria);
      if (!compiled) this.compiled.set(criteria, (compiled = this.compile(criteria)));
      return compiled(service, clinic);
    }

    compile(criteria) {
      const of = (part) => this.compile(part);
      if (criteria.facet) return this.offers(criteria);
      if (criteria.quantity) return this.bound(criteria);
      if (criteria.named) return of(criteria.criteria);
      if (criteria.and || criteria.or) {
        const [choose, parts] = criteria.and ? [least, criteria.and.map(of)] : [most, criteria.or.map(of)];
        return (service, clinic) => choose(...parts.map((part) => part(service, clinic)));
      }
      if (criteria.everything) return () => YES;
      if (!criteria.not && !criteria.no_service) return () => UNKNOWN;
      const part = of(criteria.not ?? criteria.no_service);
      if (criteria.not) return (service, clinic) => YES - part(service, clinic);
      return (service, clinic) => YES - most(...clinic.services.map((one) => part(one, clinic)));
    }

    offers({ facet, terms, at_least: atLeast = 1 }) {
      const columns = terms.map((term) => this.columns.get(`${facet} ${term}`));
      const needed = atLeast === "all" ? terms.length : atLeast;
      return ({ group }) => {
        const truths = this.truths[group];
        let yes = 0, no = 0;
        for (const column of columns) {
          if (truths[column] === YES) yes += 1;
          else if (truths[column] === NO) no += 1;
        }
        if (yes >= needed) return YES;
        return no >= terms.length - needed + 1 ? NO : UNKNOWN;
      };
    }

    bound({ quantity, at_most: atMost, at_least: atLeast }) {
      return ({ quantities }) => {
        if (!quantities[quantity]) return UNKNOWN;
        const { low, high } = quantities[quantity];
        if (atMost !== undefined) return high <= atMost ? YES : low > atMost ? NO : UNKNOWN;
        return low >= atLeast ? YES : high < atLeast ? NO : UNKNOWN;
      };
    }

    // Each clinic's truth, and which service answers: the first with the highest.
    weigh(criteria) {
      const n = this.clinics.length, truths = new Uint8Array(n), services = new Uint16Array(n);
      this.clinics.forEach((clinic, no) => {
        let best = NO;
        for (let at = 0; at < clinic.services.length && best < YES; at += 1) {
          const truth = this.truth(criteria, clinic, clinic.services[at]);
          if (truth > best) [best, services[no]] = [truth, at];
        }
        truths[no] = least(best, LIMITS[clinic.status]);
      });
      return { truths, services };
    }

    distances({ lat, lon }) {
      if (this.from?.lat !== lat || this.from?.lon !== lon) {
        this.from = { lat, lon };
        this.far = this.clinics.map((one) => (one.lat === null ? Infinity : geodesicKm(lat, lon, one.lat, one.lon)));
        const micrometres = this.far.map(round6);
        this.ordered = [...this.located].sort((a, b) => micrometres[a] - micrometres[b] || a - b);
      }
      return this.far;
    }

    // The k nearest: as Directory.nearest answers. `limit` in km; Infinity for none.
    nearest(origin, { criteria = { everything: true }, unknown = "exclude", k = 5, limit = Infinity } = {}) {
      const far = this.distances(origin);
      if (this.located.length && far[this.ordered[0]] > FAR_KM) throw new Refused("far");
      const { truths, services } = this.weigh(criteria);
      const whole = (isEligible) => this.ordered.filter((no) => isEligible(truths[no]));
      const within = (list) => list.filter((no) => far[no] <= limit);
      const everywhere = whole(POLICIES[unknown]), eligible = within(everywhere), possible = within(whole(POLICIES.only));
      const sigma = (no) => sigmaKm(origin.radius, this.radii[no]);
      const low = (no) => lowKm(far[no], sigma(no)), high = (no) => highKm(far[no], sigma(no));
      const matches = eligible.slice(0, k).map((no, at) => {
        const clinic = this.clinics[no], service = clinic.services[services[no]];
        return { rank: at + 1, no, clinic, service, truth: truths[no], km: far[no], low: low(no), high: high(no) };
      });
      const unlocated = this.clinics.filter((one, no) => one.lat === null && truths[no] > NO).length;
      const found = { origin, criteria, unknown, limit, matches, eligible: eligible.length, possible: possible.length, unlocated };
      found.inside = limit === Infinity ? null : [high, low].map((end) => everywhere.filter((no) => end(no) <= limit).length);
      found.certain = this.isCertain(found, k, eligible, possible, low);
      found.nearer = this.nearer(found, possible, far);
      return found;
    }

    // Whether the order is certain at the 90 % level, as Page.order_certain.
    isCertain({ matches, unknown, unlocated }, k, eligible, possible, lowOf) {
      if (unlocated) return false;
      const spans = matches.map(({ low, high }) => [low, high]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      if (spans.some(([low], at) => at && low <= spans[at - 1][1])) return false;
      const reach = matches.length >= k ? most(0, ...spans.map(([, high]) => high)) : Infinity;
      const contends = (no) => lowOf(no) <= reach;
      if (matches.length >= k && eligible.slice(matches.length).some(contends)) return false;
      return unknown !== "exclude" || !possible.some(contends);
    }

    // Up to three that may match and are nearer than the last, as Page.nearer_possible.
    nearer({ matches, unknown }, possible, far) {
      if (unknown !== "exclude") return [];
      const last = matches.at(-1), first = possible.slice(0, 3);
      if (!last) return first;
      const end = round6(last.km);
      return first.filter((no) => round6(far[no]) < end || (round6(far[no]) === end && no < last.no));
    }

    // -- Questions -------------------------------------------------------------------------------

    // The innermost clauses that are UNKNOWN and make the whole so.
    unsettled(criteria, clinic, service) {
      if (this.truth(criteria, clinic, service) !== UNKNOWN) return [];
      const inside = partsOf(criteria).flatMap((part) => this.unsettled(part, clinic, service));
      return inside.length ? inside : [criteria];
    }

    // What to ask a clinic: what decides, and what else is worth asking; as Matches.questions words it.
    questions({ clinic, service }, criteria, lang) {
      const open = this.unsettled(criteria, clinic, service).flatMap(leavesOf);
      const deciding = clinic.status === "active" ? [] : [this.says["ask.status"][lang]];
      deciding.push(...open.map((leaf) => this.question(leaf, lang)));
      const stated = Object.keys(service.flags).flatMap((flag) => this.above("flag", flag));
      const known = new Set([...open.flatMap((leaf) => leaf.terms ?? []), ...stated]);
      const more = this.asked_flags.filter(({ flag, province }) => !known.has(flag) && (province === null || province === clinic.province));
      const ask = ({ flag }) => this.question({ facet: "flag", terms: [flag], at_least: 1 }, lang);
      return { deciding: [...new Set(deciding)], more: more.map(ask) };
    }

    question(leaf, lang) {
      const { facet, terms, at_least: atLeast = 1 } = leaf;
      if (leaf.quantity) return fill(this.says["ask.facet"][lang], this.sizeAsked(leaf, lang));
      const isFlag = facet === "flag", needed = atLeast === "all" ? terms.length : atLeast;
      const some = this.listed(facet, terms, needed === terms.length ? "and" : "or", lang);
      const isSome = needed > 1 && needed < terms.length;
      const what = isSome ? fill(this.says["clause.at_least"][lang], { n: needed, what: some }) : some;
      const name = !isFlag ? facet : terms.length === 1 ? terms[0] : "";
      const asked = this.wordings[name] ?? this.says[isFlag ? "ask.flag" : "ask.facet"];
      return fill(asked[lang], { what, facet: this.label(facet, null, lang) });
    }

    sizeAsked({ quantity, at_most: atMost, at_least: atLeast }, lang) {
      const one = this.quantities[quantity];
      const [whole, part] = String(atMost ?? atLeast).split(".");
      const [between, point] = lang === "fr" ? ["\u00a0", ","] : [",", "."];
      const number = whole.replace(/\B(?=(\d{3})+$)/g, between) + (part ? point + part : "");
      const bound = this.says[atMost === undefined ? "clause.no_less" : "clause.no_more"][lang];
      return { facet: named(one, lang), what: fill(bound, { size: `${number} ${one.unit}` }) };
    }

    listed(facet, terms, word, lang) {
      const names = terms.map((term) => this.label(facet, term, lang)), last = names.pop();
      return names.length ? `${names.join(", ")} ${this.says[word][lang]} ${last}` : last;
    }

    label(facet, term, lang) {
      const known = this.labels[facet], one = term === null ? known : known?.terms[term];
      return one ? named(one, lang) : term ?? facet;
    }
  }

  // What a facet, term or quantity is called: in its first language where it has no other.
  const named = ({ labels }, lang) => labels[lang] ?? Object.values(labels)[0];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

  function partsOf(criteria) {
    return criteria.and ?? criteria.or ?? [criteria.not, criteria.no_service, criteria.criteria].filter(Boolean);
  }

  // Every clause inside, those that the directory has no words for too.
  function leavesOf(criteria) {
    if (criteria.facet || criteria.quantity) return [criteria];
    return [...partsOf(criteria), criteria.unstated].filter(Boolean).flatMap(leavesOf);
  }

  async function open({ data, codes }) {
    const [content, table] = await Promise.all([inflateJson(data), inflate(codes)]);
    return { ...content, directory: new Directory(content.directory), gazetteer: new Gazetteer(content.gazetteer, readCodes(table)) };
  }

  return { open, inflateJson, distanceText, fill, named, Refused, NO, UNKNOWN, YES };
})();
