"""A function for a serverless host: one file beside it, no start-up work, no state.

Make the file once, `python serverless.py clinics.ketafind`, and ship it with this one. A host calls
`handler` with the request; the answer is plain data. Opening the file takes milliseconds, and
nothing that a query does not need is imported.
"""

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import ketafind as kf

FILE = os.environ.get("CLINICS", "clinics.ketafind")


@cache
def directory() -> kf.Directory:
    """Opened at the first request that a host sends to this copy."""
    return kf.Directory.open(FILE)


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001
    """Answer a request whose body is JSON: place, where, k and lang."""
    answer: Mapping[str, object]
    try:
        asked = dict(json.loads(event["body"]))
        where = kf.Criteria.from_dict(asked.get("where", {"everything": True}))
        found = directory().nearest(asked["place"], min(asked.get("k", 5), 50), where=where)
        answer, status = found.to_dict(asked.get("lang")), 200
    except kf.KetafindError as error:
        answer, status = error.to_dict(), 422
    except (KeyError, TypeError, ValueError, RecursionError):
        answer, status = {"message": "the body is JSON with place, and k, where, lang"}, 400
    return {"statusCode": status, "body": json.dumps(answer, ensure_ascii=False)}


if __name__ == "__main__":
    kf.load_directory().save(sys.argv[1])
