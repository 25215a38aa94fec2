// Answers questions by the script and data of a finder page, in node: PAGE, questions as JSON lines
// on the standard input, answers as JSON lines on the standard output.
"use strict";
const fs = require("fs"), vm = require("vm"), lines = require("readline");
const page = fs.readFileSync(process.argv[2], "utf8");
const block = (id) => page.match(new RegExp(`id="${id}">([^<]*)<`))[1];
globalThis.window = globalThis;
for (const [, script] of page.matchAll(/<script>([^]*?)<\/script>/g)) vm.runInThisContext(script);
const finder = vm.runInThisContext("Finder");

function answer(opened, { text, place, criteria, unknown, k, limit, lang }) {
  const { directory, gazetteer } = opened;
  try {
    const origin = place ?? gazetteer.read(text);
    if (!criteria) return { origin };
    const found = directory.nearest(origin, { criteria, unknown, k, limit: limit ?? Infinity });
    return {
      origin,
      ...found,
      criteria: undefined,
      matches: found.matches.map((match) => ({
        ...match,
        clinic: match.clinic.clinic_id,
        text: finder.distanceText(match, directory, lang),
        service: match.service.service_id,
        questions: directory.questions(match, criteria, lang ?? "en"),
      })),
      nearer: found.nearer.map((no) => directory.clinics[no].clinic_id),
    };
  } catch (error) {
    if (!(error instanceof finder.Refused)) throw error;
    return { refused: error.reason, candidates: error.candidates, offers: error.offers };
  }
}

(async () => {
  const started = process.hrtime.bigint();
  const opened = await finder.open({ data: block("content"), codes: block("codes") });
  const times = [Number(process.hrtime.bigint() - started) / 1e6];
  for await (const line of lines.createInterface({ input: process.stdin })) {
    const before = process.hrtime.bigint();
    const found = answer(opened, JSON.parse(line));
    times.push(Number(process.hrtime.bigint() - before) / 1e6);
    process.stdout.write(`${JSON.stringify(found)}\n`);
  }
  process.stderr.write(JSON.stringify({ opened_ms: times[0], answers_ms: times.slice(1) }));
})();
