"""A join on Spark is the same join, later: lazy, its schema declared, its errors in place."""

from __future__ import annotations

import math
import os
import shutil
import sys

import pytest

import ketafind as kf

pytest.importorskip("pyspark", reason="Spark is not installed: the extra spark")
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
    # Spark warns of every pandas that is new.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support:FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DIRECTORY = kf.load_directory()
PEOPLE = [(1, 44.23, -76.48), (2, 43.65, -79.38), (3, None, -80.0), (4, math.nan, 1.0)]
SCHEMA = "who int, lat double, lon double"


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "3")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def test_a_spark_join_equals_the_join_in_memory(spark):
    import pyarrow as pa

    asked = {"k": 2, "routes": "iv", "unknown": "include", "columns": ["city", "order_certain"]}
    joined = kf.nearest_join(spark.createDataFrame(PEOPLE, SCHEMA).coalesce(1), DIRECTORY, **asked)
    rows = [row.asDict() for row in joined.collect()]
    who, lat, lon = zip(*PEOPLE, strict=True)
    wanted = kf.nearest_join(pa.table({"who": who, "lat": lat, "lon": lon}), DIRECTORY, **asked)
    assert rows[:-1] == wanted.to_pylist()[:-1]
    assert rows[-1]["reason"] == "no position"
    assert [field.dataType.simpleString() for field in joined.schema.fields] == [
        "int",
        "double",
        "double",
        "int",
        "string",
        "double",
        "string",
        "string",
        "boolean",
        "string",
    ]


def test_columns_are_checked_before_anything_runs(spark):
    people = spark.createDataFrame(PEOPLE, SCHEMA)
    with pytest.raises(kf.errors.InvalidInputError, match="no column 'latitude'"):
        kf.nearest_join(people, DIRECTORY, lat="latitude", lon="lon")
    with pytest.raises(kf.errors.InvalidInputError, match="already has a column"):
        kf.nearest_join(people.withColumnRenamed("who", "rank"), DIRECTORY)


def test_an_error_names_partition_and_row_and_no_digit(spark):
    from pyspark.errors import PythonException

    people = [*PEOPLE, (5, 95.125, 0.0)]
    joined = kf.nearest_join(spark.createDataFrame(people, SCHEMA).coalesce(1), DIRECTORY)
    with pytest.raises(PythonException, match="partition 0, row 4: lat must lie") as caught:
        joined.collect()
    assert "95.125" not in str(caught.value)


def test_a_saved_directory_travels_by_its_path(spark, tmp_path):
    saved = kf.Directory.from_clinics(DIRECTORY.clinics)
    saved.save(tmp_path / "ontario.ketafind")
    opened = kf.Directory.open(tmp_path / "ontario.ketafind")
    people = spark.createDataFrame(PEOPLE[:2], SCHEMA).coalesce(1)
    ids = [row.clinic_id for row in kf.nearest_join(people, opened).collect()]
    assert ids == [row.clinic_id for row in kf.nearest_join(people, DIRECTORY).collect()]


INSTANTS = """
select 1 who, 44.23D lat, -76.48D lon, timestamp'2024-11-03 05:30:00.123456Z' at,
  array(timestamp'1850-01-01 00:00:00', null, timestamp'2024-11-03 06:30:00Z') visits,
  named_struct('seen', timestamp'2300-01-01 00:00:00') file,
  timestamp_ntz'2024-03-10 02:30:00' clock
union all select 2, 43.65D, -79.38D, null, null, null, null
"""
COUNTED = [
    "who",
    "unix_micros(at) at",
    "transform(visits, one -> unix_micros(one)) visits",
    "file is null file",
    "unix_micros(file.seen) seen",
    "string(clock) clock",
]


@pytest.mark.parametrize("zone", ["America/Toronto", "+05:30"])
@pytest.mark.parametrize("k", [1, 2])
def test_instants_pass_through_a_join_to_the_microsecond(spark, zone, k):
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", zone)
    people = session.sql(INSTANTS).coalesce(1)
    joined = kf.nearest_join(people, DIRECTORY, k=k)
    assert joined.schema.fields[: len(people.columns)] == people.schema.fields
    wanted = [row for row in people.selectExpr(*COUNTED).collect() for _ in range(k)]
    assert joined.selectExpr(*COUNTED).collect() == wanted


def test_a_name_that_differs_by_case_alone_is_taken_unless_spark_minds_case(spark):
    session = spark.newSession()
    people = session.createDataFrame(PEOPLE[:2], SCHEMA).withColumnRenamed("who", "RANK")
    with pytest.raises(kf.errors.InvalidInputError, match=r"'RANK', .* 'rank' .* prefix="):
        kf.nearest_join(people, DIRECTORY)
    near = kf.nearest_join(people, DIRECTORY, prefix="near_")
    assert [row[0] for row in near.select("rank").collect()] == [1, 2]
    session.conf.set("spark.sql.caseSensitive", "TRUE")
    both = kf.nearest_join(people, DIRECTORY).select("RANK", "rank").collect()
    assert [tuple(row) for row in both] == [(1, 1), (2, 1)]
