"""What the options of a command say, and what each command prints."""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketafind.errors import DataError, Fault, InvalidInputError, fault_in_french, packaged
from ketafind.files import read_text, refuse_existing, require, write_whole
from ketafind.shapes import label_of, named, translated
from ketafind.show.exports import csv_text
from ketafind.show.text import escaped, terminal_width, text_table
from ketafind.tables.frames import stated_facts

if TYPE_CHECKING:
    from ketafind.criteria import Criteria
    from ketafind.directory import Directory
    from ketafind.explain.sentences import Explanation
    from ketafind.facts import Decision
    from ketafind.geocoding import OfflineGeocoder
    from ketafind.matches import Matches
    from ketafind.records import Clinic, Evidence
    from ketafind.vocabulary import Vocabulary

FACETS = ("route", "staff", "condition", "product", "setting", "language")
"""The facets that have options."""

COORDINATES = re.compile(r"(?:ketafind\.)?Coordinates(?:\(lat=\.\.\., lon=\.\.\.\))?")
"""How Python's messages name what are two options here."""

UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def by_options(message: str, lang: str) -> str:
    """Name the options of the command line where a message names what Python takes."""
    for in_python, here in packaged("cli/parser.json")["in_python"].items():
        message = re.sub(in_python, here, message)
    return COORDINATES.sub(f"--lat {'et' if lang == 'fr' else 'and'} --lon", message)


def asked(arguments: Namespace) -> Matches:
    """Ask for the nearest clinics as the options say."""
    return directory_of(arguments).nearest(
        _origin(arguments),
        _many(arguments),
        max_distance_km=arguments.max_distance_km,
        check=not arguments.no_check,
        **by_road(arguments),
        **sought(arguments),
    )


def _many(arguments: Namespace) -> int:
    return 5 if arguments.k is None else int(arguments.k)


def by_road(arguments: Namespace) -> dict[str, Any]:
    """How one travels, as keywords of a query; none for straight lines."""
    if getattr(arguments, "roads", None) is None:
        if getattr(arguments, "max_time_min", None) is not None:
            raise InvalidInputError("--max-time-min goes with --roads")
        return {}
    from ketafind.travel import GraphRouter

    router = GraphRouter.open(arguments.roads, arguments.profile)
    return {"router": router, "max_time_min": arguments.max_time_min}


def sought(arguments: Namespace) -> dict[str, Any]:
    """What is sought, as keywords of a query."""
    facets = {facet: getattr(arguments, facet) for facet in FACETS}
    named = {facet: terms for facet, terms in facets.items() if terms is not None}
    return {"where": _criteria(arguments), "unknown": arguments.unknown, **named}


def _criteria(arguments: Namespace) -> Criteria | None:
    clauses = list(_clauses(arguments))
    return reduce(and_, clauses) if clauses else None


def _clauses(arguments: Namespace) -> Iterator[Criteria]:
    """Read what is sought beside terms of facets."""
    from ketafind.criteria import Criteria, at_least, at_most, flag, offers

    if arguments.where is not None:
        yield Criteria.from_json(arguments.where)
    if arguments.qualified is not None:
        from ketafind.qualification import qualified

        yield qualified(arguments.qualified)
    for text in arguments.facet or ():
        facet, separator, term = text.partition("=")
        if not separator:
            raise InvalidInputError(f"--facet {text}: write FACET=TERM, such as setting=hospital")
        yield offers(facet, term)
    for text in arguments.flag or ():
        name, _, answer = text.partition("=")
        if answer not in ("", "yes", "no"):
            raise InvalidInputError(f"--flag {text}: write {name}, {name}=yes or {name}=no")
        yield ~flag(name) if answer == "no" else flag(name)
    yield from (at_most(*bound) for bound in arguments.at_most or ())
    yield from (at_least(*bound) for bound in arguments.at_least or ())


def directory_of(arguments: Namespace) -> Directory:
    """Load the directory that the options name."""
    from ketafind.directory import load_directory

    if arguments.data is None:
        for option in ("evidence", "vocabulary"):
            if getattr(arguments, option) is not None:
                raise InvalidInputError(f"--{option} goes with --data")
        directory = load_directory(geocoder=geocoder_of(arguments))
    else:
        directory = read_directory(arguments.data, arguments, arguments.evidence)
    return directory if arguments.as_of is None else directory.as_of(arguments.as_of)


def read_directory(path: str, arguments: Namespace, evidence: str | None) -> Directory:
    """Open a saved directory, or read a file of clinics in one of the forms that are known."""
    from ketafind.directory import Directory
    from ketafind.show.exports import reader_of

    geocoder, words = geocoder_of(arguments), vocabulary_of(arguments)
    reader = "open" if path.endswith(".ketafind") else reader_of(path)
    if evidence is not None and reader != "from_csv":
        raise InvalidInputError(f"{path}: its evidence is in the file; --evidence goes with CSV")
    if reader == "open":
        if words is not None:
            raise InvalidInputError(f"{path}: a saved directory holds its vocabulary already")
        return Directory.open(path, geocoder=geocoder)
    given: dict[str, Any] = {"geocoder": geocoder, "vocabulary": words}
    if reader == "from_csv":
        given["evidence"] = evidence
    read: Callable[..., Directory] = getattr(Directory, reader)
    return read(path, **given)


def vocabulary_of(arguments: Namespace) -> Vocabulary | None:
    """Read the vocabulary that the options name."""
    from ketafind.vocabulary import Vocabulary

    return None if arguments.vocabulary is None else Vocabulary.read(arguments.vocabulary)


def geocoder_of(arguments: Namespace) -> OfflineGeocoder | None:
    """Make the geocoder of the region that the options name."""
    from ketafind.geocoding import OfflineGeocoder

    return None if arguments.region is None else OfflineGeocoder(region=arguments.region)


def _origin(arguments: Namespace) -> Any:
    from ketafind.geo import Coordinates

    pair = (arguments.lat, arguments.lon)
    if arguments.place is None:
        if None in pair:
            raise InvalidInputError("give a PLACE, or --lat and --lon together")
        return Coordinates(lat=arguments.lat, lon=arguments.lon)
    if pair != (None, None):
        raise InvalidInputError("give a PLACE or --lat and --lon, not both")
    return arguments.place


def nearest(arguments: Namespace) -> None:
    """Print the nearest clinics that match."""
    matches = asked(arguments)
    _say_origin(matches, arguments)
    if arguments.format == "geojson":
        print_json(matches.to_geojson())
    elif arguments.format == "csv":
        _print_csv(csv_text(matches.columns()))
    elif arguments.format == "json":
        print_json(matches.to_dict(arguments.lang))
    else:
        print(matches.translated(arguments.lang or "en"))


def export(arguments: Namespace) -> None:
    """Write the clinics, those that match, or the nearest of them, to a file."""
    found, wanted = None, sought(arguments)
    if arguments.place is not None or arguments.lat is not None or arguments.lon is not None:
        found = asked(arguments)
        _say_origin(found, arguments)
    elif arguments.k is not None or arguments.max_distance_km is not None:
        raise InvalidInputError("-k and --max-distance-km go with a PLACE")
    elif wanted != {"where": None, "unknown": "exclude"}:
        found = directory_of(arguments).search(**wanted)
    if found is not None and not found:  # the file will hold none
        print(found.translated(arguments.lang or "en"), file=sys.stderr)
    what = directory_of(arguments) if found is None else found
    what.export(
        arguments.out,
        arguments.format,
        overwrite=arguments.overwrite,
        spreadsheet=arguments.spreadsheet,
        lang=arguments.lang,
    )


def _print(answer: Explanation, arguments: Namespace, matches: Matches | None = None) -> None:
    """Print an answer, and how the place of its question was read."""
    if matches is not None:
        _say_origin(matches, arguments)
    if arguments.format == "json":
        print_json(answer.to_dict())
    else:
        print(answer)


def print_json(content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    # What has no picture is written as JSON writes it: a terminal would obey it.
    print(UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _print_csv(text: str) -> None:
    """Print CSV as it is, but never a control character to a terminal."""
    if sys.stdout.isatty():
        text = "".join(f"{escaped(line)}\n" for line in text.splitlines())
    print(text, end="")


def _say_origin(matches: Matches, arguments: Namespace) -> None:
    """Say how PLACE was read: beside the answer, so that a file or a pipe does not hold it."""
    from ketafind.explain.sentences import Wording

    origin, lang = matches.origin, arguments.lang or "en"
    if arguments.place is None or origin is None:
        return
    words = Wording(lang)
    radius = words.number(origin.radius_km, 1 if origin.radius_km < 9.95 else 0)
    precision = words.say(f"precision.{origin.precision}")
    read = words.say("origin.read", label=origin.label, precision=precision, radius=radius)
    sentences = (
        read,
        *(f"{one[:1].upper()}{one[1:]}." for one in translated(origin.corrections, lang)),
    )
    print(escaped(" ".join(sentences)), file=sys.stderr)


def show(arguments: Namespace) -> None:
    """Print one clinic's facts, each with its evidence."""
    from ketafind.explain.sentences import Wording

    directory, lang, words = directory_of(arguments), arguments.lang, Wording(arguments.lang)
    clinic = directory[arguments.clinic_id]
    facts = _facts_of(clinic, directory.decisions(clinic.clinic_id, arguments.as_of))
    if arguments.format == "json":
        said = {"clinic_id": clinic.clinic_id, "name": clinic.name, "status": clinic.status}
        print_json(said | {"facts": facts})
        return
    status = label_of("status", clinic.status, lang)
    print(escaped(f"{clinic.name} ({clinic.clinic_id}), {status}"))
    where = words.place(clinic, None, None)
    print(escaped(f"{clinic.address or words.say('show.no_address')} [{where}]"), end="\n\n")
    # The last column says what is not believed: rarely anything.
    names = HEADERS if any(fact["believed"] == "no" for fact in facts) else HEADERS[:-1]
    if lang != "en":
        facts = [_worded(fact, lang, directory.vocabulary) for fact in facts]
    headers = [words.say(f"show.{name}") for name in names]
    _print_table([[fact[name] for name in names] for fact in facts], headers)


def _worded(fact: dict[str, str], lang: str, vocabulary: Vocabulary) -> dict[str, str]:
    """Say a fact in a language."""
    more = {
        "fact": named(fact["fact"], None, lang, vocabulary),
        "value": named(fact["fact"], fact["value"], lang, vocabulary),
        "source": label_of("source_class", fact["source"], lang),
    }
    truths = {name: label_of("truth", fact[name], lang) for name in ("truth", "believed")}
    return fact | more | truths


def _print_table(rows: list[list[str]], headers: Sequence[str]) -> None:
    print(text_table(rows, headers, terminal_width()))


def validate(arguments: Namespace) -> int:
    """Print every fault of a file of clinics; where there is none, what is doubtful in it."""
    from ketafind.explain.sentences import Wording

    lang, words = arguments.lang, Wording(arguments.lang)
    try:
        with warnings.catch_warnings(action="ignore"):  # the findings say it
            directory = read_directory(arguments.file, arguments, arguments.evidence)
    except DataError as error:
        for fault in error.faults:
            said = fault_in_french(f"  {fault}") if lang == "fr" else str(fault)
            print(escaped(f"{error.source}: {said.strip()}"))
        print(escaped(error.text(lang).splitlines()[0]), file=sys.stderr)
        return 1
    unlocated = sum(clinic.location is None for clinic in directory.clinics)
    sound = words.counted("validate.sound", len(directory), unlocated=unlocated)
    print(escaped(words.headed(arguments.file, sound)))
    print(by_options(str(directory.validate(lang=lang)), lang))
    return 0


def info(_arguments: Namespace) -> None:
    """Print what is installed, and whether searches run on the compiled core."""
    from ketafind import __version__
    from ketafind.directory import load_directory
    from ketafind.geo import compiled_core

    directory = load_directory()
    index = "KernelIndex (compiled core)"
    if compiled_core() is None:
        index = (
            "ScanIndex (plain scan: installed without a C compiler; the answers are the same, "
            "large directories are slower)"
        )
    rows = [
        ["ketafind", __version__],
        ["Python", sys.version.split()[0]],
        ["index", index],
        ["data", f"{len(directory)} clinics, {directory.snapshot}"],
        ["places", "GeoNames, CC BY 4.0, and the sources named in NOTICE"],
    ]
    _print_table(rows, ("", ""))


def vocabulary(arguments: Namespace) -> None:
    """Print the terms of a facet, or of all."""
    from ketafind.explain.sentences import Wording
    from ketafind.vocabulary import default_vocabulary

    known = vocabulary_of(arguments) or default_vocabulary()
    facets = known.facets if arguments.facet is None else (known.facet(arguments.facet),)
    rows = [
        [facet.id, "  " * len(facet.ancestors(term.id)) + term.id, term.label(arguments.lang)]
        for facet in facets
        for term in facet.terms
    ]
    words = Wording(arguments.lang)
    _print_table(rows, [words.say(f"vocabulary.{name}") for name in ("facet", "term", "label")])


def explain(arguments: Namespace) -> None:
    """Print why each clinic is in an answer, why one is not, or what would bring more."""
    matches, lang = asked(arguments), arguments.lang
    if arguments.why_not is not None:
        answer: Explanation = matches.why_not(arguments.why_not, lang=lang)
    else:
        answer = (matches.relax if arguments.relax else matches.explain)(lang=lang)
    _print(answer, arguments, matches)


def questions(arguments: Namespace) -> None:
    """Print what to ask which clinic."""
    matches = asked(arguments)
    _print(matches.questions(_many(arguments), lang=arguments.lang), arguments, matches)


def diff(arguments: Namespace) -> None:
    """Print what changed from one directory to another."""
    old = read_directory(arguments.old, arguments, arguments.old_evidence)
    new = read_directory(arguments.new, arguments, arguments.new_evidence)
    _print(old.diff(new, lang=arguments.lang), arguments)


def profile(arguments: Namespace) -> None:
    """Print how complete, precise and old the data are, or what in them is doubtful."""
    directory = directory_of(arguments)
    asked = directory.validate if arguments.doubts else directory.profile
    _print(asked(lang=arguments.lang), arguments)


def mcp(arguments: Namespace) -> None:
    """Answer agents on standard input and output."""
    from ketafind.mcp import make_server

    server = make_server(directory_of(arguments), precise=arguments.precise_places)
    try:
        server.run("stdio")
    except ExceptionGroup as group:
        if group.split(BrokenPipeError)[1] is not None:
            raise
        raise BrokenPipeError from None  # the client went away


def build_register(arguments: Namespace) -> None:
    """Build a street register and print what is in it."""
    from ketafind.geocoding import build_register

    source = {"nar": arguments.nar, "openaddresses": arguments.openaddresses}
    meta = build_register(arguments.out, **source, overwrite=arguments.overwrite)
    made = f"{meta['points']:,} addresses on {meta['streets']:,} streets"
    origin = f"{meta['rows']:,} rows of {meta['source']}. {meta['licence']}"
    print(escaped(f"{arguments.out}: {made}, of {origin}"))


_PAGES = ("html", "htm")


def _check_ending(path: str, kinds: Iterable[str]) -> str:
    kind = Path(path).suffix[1:].lower()
    if kind not in kinds:
        raise InvalidInputError(f"{path}: the name must end in .{', .'.join(kinds)}")
    return kind


def page(arguments: Namespace) -> None:
    """Write a page in which anybody finds the nearest clinics."""
    _check_ending(arguments.out, _PAGES)
    directory = directory_of(arguments)
    directory.to_html(arguments.out, lang=arguments.lang, overwrite=arguments.overwrite)


def plot(arguments: Namespace) -> None:
    """Draw the nearest clinics into a file."""
    from io import BytesIO

    require("matplotlib", "maps").use("agg")
    matches, size = asked(arguments), (arguments.width, arguments.height)
    figure = matches.plot(title=arguments.title, figsize=size, lang=arguments.lang).figure
    kind, drawn = _check_ending(arguments.out, figure.canvas.get_supported_filetypes()), BytesIO()
    figure.savefig(drawn, format=kind, dpi=200)
    write_whole(arguments.out, [drawn.getvalue()], overwrite=arguments.overwrite)
    _say_origin(matches, arguments)


def explore(arguments: Namespace) -> None:
    """Write a map of the nearest clinics."""
    _check_ending(arguments.out, _PAGES)
    matches = asked(arguments)
    origin = matches.origin if arguments.with_origin else None
    page = matches.explore(lang=arguments.lang, column=arguments.column, origin=origin)
    page.save(arguments.out, overwrite=arguments.overwrite)
    _say_origin(matches, arguments)


def build_roads(arguments: Namespace) -> None:
    """Build a network of roads and print what is in it."""
    from tqdm import tqdm

    from ketafind.travel import build_roads

    refuse_existing(arguments.out, overwrite=arguments.overwrite)
    within = _area(arguments)
    with tqdm(unit=" ways", unit_scale=True, disable=None) as bar:
        router = build_roads(
            arguments.extract,
            profiles=tuple(dict.fromkeys(arguments.profile)),
            within=within,
            progress=bar.update,
        )
    router.save(arguments.out)
    made = f"{router.n_nodes:,} crossings and dead ends, {router.n_roads:,} roads"
    profiles = ", ".join(dict.fromkeys(arguments.profile))
    print(escaped(f"{arguments.out}: {made}, for {profiles}. {ATTRIBUTION}"))


ATTRIBUTION = "Data (c) OpenStreetMap contributors, ODbL 1.0"


def _area(arguments: Namespace) -> Any:
    """Read which part of an extract is wanted; None for all of it."""
    import shapely

    from ketafind.directory import load_directory

    if arguments.clip is not None:
        text = read_text(arguments.clip, "a polygon", max_mb=100)
        try:
            area = shapely.union_all(shapely.get_parts(shapely.from_geojson(text)))
        except shapely.GEOSException as error:
            raise DataError(arguments.clip, [Fault(f"this is no GeoJSON: {error}")]) from None
        if area.geom_type not in ("Polygon", "MultiPolygon") or area.is_empty:
            raise DataError(arguments.clip, [Fault("a polygon is needed, in lon and lat degrees")])
        return area
    if arguments.around is None:
        return None
    if not 0.0 <= arguments.margin_km <= 20_000.0:
        raise InvalidInputError("--margin-km must be 0 to 20,000")
    if arguments.around == "-":
        directory = load_directory()
    else:
        directory = read_directory(arguments.around, arguments, None)
    places = [one.location for one in directory.clinics if one.location is not None]
    if not places:
        raise InvalidInputError(f"{arguments.around}: no clinic in it has a position")
    hull = shapely.MultiPoint([(place.lon, place.lat) for place in places]).convex_hull
    north = min(89.0, max(abs(place.lat) for place in places) + 1.0)
    return hull.buffer(arguments.margin_km / (111.0 * math.cos(math.radians(north))))


HEADERS = ("fact", "value", "truth", "service", "source", "checked", "page", "believed")


def _facts_of(clinic: Clinic, decisions: Iterable[Decision]) -> list[dict[str, str]]:
    """List what is stated of a clinic, and what each source says of it."""
    doubted: set[Evidence] = set()
    for one in decisions:
        doubted.update(one.set_aside if one.reason == "decided" else (*one.by, *one.set_aside))
    rows = [
        _row(
            fact.facet,
            fact.term,
            str(fact.truth),
            service=fact.service_id or "",
            source=fact.source_class,
            checked=str(fact.checked_on or ""),
            page=fact.source_url,
            believed="no" if fact in doubted else "yes",
        )
        for fact in clinic.evidence
    ]
    known = {(fact.service_id, fact.facet, fact.term) for fact in clinic.evidence}
    for service, facet, term, truth in stated_facts(clinic):
        if facet != "status" and not {(service, facet, term), (None, facet, term)} & known:
            rows.append(_row(facet, term, str(truth), service=service or ""))
    rows += [_row("notes", clinic.notes, "yes")] if clinic.notes else []
    return rows + [_row(name, value) for name, value in clinic.extra.items() if value]


def _row(fact: str, value: str, truth: str = "", **more: str) -> dict[str, str]:
    # A yes-no fact has no term: its answer is its value.
    shown = {"fact": fact, "value": value or truth, "truth": truth if value else ""}
    return dict.fromkeys(HEADERS, "") | shown | more
