"""A web service on FastAPI: `uvicorn service:app` in this folder, then open /docs."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import ketafind as kf
from ketafind.errors import ErrorRecord, InvalidInputError, ServiceFailedError
from ketafind.matches import AnswerRecord
from ketafind.shapes import ClinicRecord

app = FastAPI(title="Clinics", responses={422: {"model": ErrorRecord}})


def reload(path: str | None = None) -> None:
    """Take new data; questions that are being answered keep the old."""
    app.state.directory = kf.Directory.open(path) if path else kf.load_directory()


reload()


class Question(BaseModel):
    place: str
    where: dict[str, Any] = {"everything": True}
    k: int = Field(10, ge=1, le=50)
    offset: int = Field(0, ge=0)


def directory(response: Response) -> kf.Directory:
    held: kf.Directory = app.state.directory  # read once: it may be replaced meanwhile
    response.headers["ETag"] = f'"{held.snapshot.id}"'
    return held


def language(accept_language: Annotated[str, Header()] = "en") -> str:
    return "fr" if accept_language.lower().startswith("fr") else "en"


Data = Annotated[kf.Directory, Depends(directory)]
Language = Annotated[str, Depends(language)]


@app.post("/nearest")
def nearest(asked: Question, data: Data, lang: Language) -> AnswerRecord:
    where = kf.Criteria.from_dict(asked.where)
    return data.nearest(asked.place, asked.k, where=where, offset=asked.offset).to_dict(lang)


@app.get("/clinics/{clinic_id}")
def clinic(clinic_id: str, data: Data, lang: Language) -> ClinicRecord:
    return data[clinic_id].to_dict(lang, vocabulary=data.vocabulary)


@app.get("/vocabulary")
def vocabulary(data: Data) -> dict[str, Any]:
    return data.vocabulary.to_dict()


@app.exception_handler(kf.KetafindError)
def refused(request: Request, error: kf.KetafindError) -> JSONResponse:
    failed = isinstance(error, ServiceFailedError)  # a geocoder's or a router's, not the asker's
    status = 503 if failed else {"unknown_clinic": 404}.get(error.code, 422)
    wait = {} if error.retry_after_s is None else {"Retry-After": f"{error.retry_after_s:.0f}"}
    lang = language(request.headers.get("accept-language", ""))
    return JSONResponse(error.to_dict(lang), status, wait)


@app.exception_handler(RequestValidationError)
def unreadable(request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]  # without what was sent, which may be a place
    where = ".".join(map(str, first["loc"][1:])) or "the body, as JSON"
    return refused(request, InvalidInputError(f"{where}: {first['msg']}"))
