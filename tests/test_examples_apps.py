"""The apps under examples/ start, and answer as the directory does."""

from __future__ import annotations

import importlib
import json
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

import ketafind as kf

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
DIRECTORY = kf.load_directory()
IV = DIRECTORY.nearest("Kingston, ON", k=3, routes="iv")


def post(url: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_the_service_is_the_one_of_the_documents() -> None:
    page = (ROOT / "docs/apps.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n(from typing import .*?)\n\n\ndef test_", page, re.DOTALL)
    assert (EXAMPLES / "service.py").read_text("utf-8").partition('"""\n\n')[2] == f"{block}\n"


@pytest.mark.parametrize("failure", [kf.errors.GeocoderBusyError, kf.errors.RoutingBusyError])
def test_the_service_says_that_what_it_asks_failed_and_when_to_come_again(
    failure: type[kf.errors.ServiceFailedError], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastapi.testclient import TestClient

    monkeypatch.syspath_prepend(str(EXAMPLES))
    app = importlib.import_module("service").app

    def fail(*given: object, **named: object) -> None:
        raise failure("it asks to wait", retry_after_s=7.2)

    monkeypatch.setattr(kf.Directory, "nearest", fail)
    answer = TestClient(app).post("/nearest", json={"place": "Kingston, ON"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_the_service_says_that_it_wants_json_where_it_gets_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fastapi.testclient import TestClient

    monkeypatch.syspath_prepend(str(EXAMPLES))
    client = TestClient(importlib.import_module("service").app)
    answer = client.post("/nearest", content='{"place": "Kingston, ON"}')
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("the body, as JSON: ")
    assert "Kingston" not in answer.text


def test_the_service_answers_over_http_and_logs_no_query() -> None:
    # Who asks before the server is up waits in the line of a socket that is open already.
    with socket.create_server(("127.0.0.1", 0)) as opened:
        given = opened.fileno()
        url = f"http://127.0.0.1:{opened.getsockname()[1]}/nearest"
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "service:app", "--fd", str(given), "--log-level", "trace"],
            cwd=EXAMPLES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            pass_fds=[given],
        )  # fmt: skip
    try:
        answer = post(url, {"place": "Kingston, ON", "where": kf.route("iv").to_dict(), "k": 3})
        refused = post(url, {"place": "Moosoneeville"})
    finally:
        server.terminate()
        log = server.communicate(timeout=300)[0]
    status, found = answer
    assert status == 200
    assert [row["clinic_id"] for row in found["matches"]] == [one.clinic.clinic_id for one in IV]
    assert (refused[0], refused[1]["code"]) == (422, "place_not_found")
    assert "/nearest" in log
    assert "Kingston" not in log
    assert "Moosonee" not in log


def test_the_function_answers_from_one_file(tmp_path: Path) -> None:
    file = tmp_path / "clinics.ketafind"
    subprocess.run([sys.executable, EXAMPLES / "serverless.py", file], check=True)
    program = f"""
import json, os, sys
os.environ["CLINICS"] = {str(file)!r}
sys.path.insert(0, {str(EXAMPLES)!r})
from serverless import handler
for body in json.loads(sys.stdin.read()):
    print(json.dumps(handler({{"body": body}})))
print(json.dumps([name for name in ("pandas", "geopy", "shapely") if name in sys.modules]))
"""
    asked = {"place": "Kingston, ON", "where": kf.route("iv").to_dict(), "k": 3}
    bodies = [json.dumps(asked), json.dumps({"place": "Moosoneeville"}), "{", json.dumps({"k": 1})]
    bodies += ["[7]", '"Kingston"', "null", "[" * 100_000]
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(bodies), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    *answers, heavy = map(json.loads, done.stdout.splitlines())
    assert [one["statusCode"] for one in answers] == [200, 422, *[400] * 6]
    found = json.loads(answers[0]["body"])["matches"]
    assert [row["clinic_id"] for row in found] == [one.clinic.clinic_id for one in IV]
    assert heavy == []


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_answers_in_the_language_that_is_chosen(lang: str) -> None:
    program = f"""
import json
from streamlit.testing.v1 import AppTest
page = AppTest.from_file({str(EXAMPLES / "finder_app.py")!r}, default_timeout=300).run()
page.sidebar.radio[0].set_value({lang!r}).run()
page.sidebar.multiselect[0].set_value(["iv"])
page.text_input[0].set_value("Kingston, ON").run()
assert not page.exception, page.exception
ids = page.dataframe[0].value
refused = page.text_input[0].set_value("Moosoneeville").run()
print(json.dumps([page.title[0].value, len(ids), refused.error[0].value, page.caption[0].value]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    title, n, error, notice = json.loads(done.stdout.splitlines()[-1])
    assert title == {"en": "Nearest clinics", "fr": "Cliniques les plus proches"}[lang]
    assert n == 5
    assert "Moosoneeville" not in error
    assert notice == kf.guide.notice(lang)
