"""Write a generated National Address Register, to measure a street register at full size."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ketafind.geocoding import default_gazetteer
from ketafind.geocoding.lexicon import code_text

ADDRESS = (
    "LOC_GUID,ADDR_GUID,APT_NO_LABEL,CIVIC_NO,CIVIC_NO_SUFFIX,OFFICIAL_STREET_NAME,"
    "OFFICIAL_STREET_TYPE,OFFICIAL_STREET_DIR,PROV_CODE,CSD_ENG_NAME,CSD_FRE_NAME,MAIL_MUN_NAME,"
    "MAIL_POSTAL_CODE,BG_X,BG_Y,BF_REPPOINT_X,BF_REPPOINT_Y\n"
)
LOCATION = "LOC_GUID,CSD_CODE,BG_LATITUDE,BG_LONGITUDE,BF_REPPOINT_LATITUDE,BF_REPPOINT_LONGITUDE\n"
SYLLABLES = ("ash", "brook", "cedar", "dale", "elm", "fern", "glen", "hart", "iron", "jack", "kirk")
KINDS = ("ST", "AVE", "RD", "DR", "CRES", "LANE")
A_STREET = 40
PART = 500_000


def write_nar(path: Path, points: int) -> list[str]:
    """Write an archive.

    Parameters
    ----------
    path : Path
        The zip to write, not compressed.
    points : int
        How many addresses, 40 on each street, streets spread over the postal codes.

    Returns
    -------
    list of str
        Some of its addresses, as people write them.
    """
    gazetteer = default_gazetteer()
    table = gazetteer.ontario
    generator = np.random.default_rng(5)
    streets = points // A_STREET
    rows = generator.integers(0, len(table.number), streets).tolist()
    asked: list[str] = []
    with zipfile.ZipFile(path, "w") as archive:
        for part, start in enumerate(range(0, streets, PART // A_STREET), 1):
            addresses, locations = [ADDRESS], [LOCATION]
            for street in range(start, min(start + PART // A_STREET, streets)):
                row = rows[street]
                text = _street(gazetteer, table, row, street, addresses, locations)
                if street % (streets // 2000 + 1) == 0:
                    asked.append(text)
            archive.writestr(f"Addresses/Address_35_part_{part}.csv", "".join(addresses))
            archive.writestr(f"Locations/Location_35_part_{part}.csv", "".join(locations))
    return asked


def _street(gazetteer, table, row, street, addresses, locations) -> str:  # type: ignore[no-untyped-def]
    town = gazetteer.places[table.name[row]].name
    code = code_text(int(table.number[row]))
    names = [SYLLABLES[street // 11**i % 11] for i in range(4)]
    name, kind = "".join(names).title(), KINDS[street % len(KINDS)]
    lat, lon = table.lat[row] / 1e4, table.lon[row] / 1e4
    mail = f"35,{town},{town},{town.upper()},{code.replace(' ', '')},7000000,1000000,,"
    for house in range(A_STREET):
        guid = f"{street:08x}-0000-4000-8000-{house:012x}"
        civic = 2 + house
        addresses.append(f"{guid},{guid},,{civic},,{name},{kind},,{mail}\n")
        locations.append(f"{guid},3510010,{lat + house * 1e-4:.6f},{lon:.6f},,\n")
    return f"{2 + street % A_STREET} {name} {kind.title()}, {town}, ON {code}"
