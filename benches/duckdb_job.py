"""The work of a Perennial project, done by DuckDB: `duckdb_job.py PROJECT OUT ingest|steps [--memory 1GB]`.

`ingest` turns every table of the project's contracts (pipelines/sources/*.yml) into one query: all columns read as
text, cast, rows that break the contract left out (DuckDB keeps no rejects), the newest row of each key kept; written to
OUT/source/*.parquet. `steps` renders the project's own SQL files and writes every step of kind `table` to
OUT/<schema>/*.parquet. Seconds per table and step go to OUT/<phase>.json.

DuckDB reads nearly the same SQL as the project's. What differs is listed in MACROS, REWRITES and `as_dates_and_longs`.
"""
import argparse
import glob
import json
import os
import re
import time

import duckdb
import jinja2
import yaml

# Macros of the project whose SQL only DataFusion knows.
MACROS = """
{% macro local_date(moment) -%} CAST(({{ moment }} AT TIME ZONE '{{ time_zone }}') AS DATE) {%- endmacro %}
"""

# Pattern and replacement, and why.
REWRITES = [
    # A series of days is one of timestamps in DuckDB.
    (r"unnest\((generate_series\([^()]*\))\)", r"unnest(CAST(\1 AS DATE[]))"),
    # A day plus an interval of months is a timestamp in DuckDB; a day in DataFusion.
    (r"(\b[\w.]+|DATE '[\d-]+') ([+-]) INTERVAL '(\d+) (months?|days?)'", r"CAST(\1 \2 INTERVAL '\3 \4' AS DATE)"),
    # A quotient of decimals is a DOUBLE in DuckDB and has six decimal places, cut off, in DataFusion.
    (r"revenue / nullif\(orders, 0\)",
     "CAST(CAST(revenue * 1000000 AS HUGEINT) // nullif(orders, 0) AS DECIMAL(38, 0)) * 0.000001"),
    # Functions of Perennial for quintiles.
    (r"quantile_cutoffs\((\w+), 5\)", r"quantile_cont(CAST(\1 AS DOUBLE), [0.2, 0.4, 0.6, 0.8])"),
    (r"quantile_score\(([\w.]+), ([\w.]+)\)", r"(1 + len(list_filter(\2, lambda edge: \1 > edge)))"),
]


def literal(text):
    return "'" + str(text).replace("'", "''") + "'"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Project:
    def __init__(self, folder):
        self.folder = folder
        self.settings = yaml.safe_load(open(f"{folder}/perennial.yml"))
        self.time_zone = self.settings.get("time_zone", "UTC")
        self.as_of = str(self.settings["as_of"])
        self.sources = {}
        for path in sorted(glob.glob(f"{folder}/pipelines/sources/*.yml")):
            self.sources[os.path.basename(path)[:-4]] = yaml.safe_load(open(path))


# ---------------------------------------------------------------------------------------------- contracts as queries


def field(path):
    """A column of the file: `props.device` is a field of a struct."""
    return ".".join(quoted(part) for part in path.split("."))


def struct_type(tree):
    if not tree:
        return "VARCHAR"
    return "STRUCT(" + ", ".join(f"{quoted(name)} {struct_type(below)}" for name, below in tree.items()) + ")"


def reader(table, files):
    """All files of a table as text, with the names of the files."""
    names = "[" + ", ".join(literal(f) for f in files) + "]"
    if table["format"] == "json_lines":
        tree = {}
        for name, column in table["columns"].items():
            below = tree
            for part in column.get("from", name).split("."):
                below = below.setdefault(part, {})
        columns = ", ".join(f"{quoted(name)}: {literal(struct_type(below))}" for name, below in tree.items())
        return (f"read_json({names}, format='newline_delimited', ignore_errors=true, filename=true, "
                f"columns={{{columns}}})")
    options = table["format"]["csv"] if isinstance(table["format"], dict) else {}
    delimiter, quote = options.get("delimiter", ","), options.get("quote", '"')
    return (f"read_csv({names}, header=true, delim={literal(delimiter)}, quote={literal(quote)}, "
            f"escape={literal(quote)}, all_varchar=true, union_by_name=true, ignore_errors=true, filename=true)")


def value(column, raw, time_zone):
    """A text as the contract's type, NULL where it is not of it."""
    kind = column["type"]
    if kind in ("text", "enumeration"):
        return raw
    if kind == "date":
        formats = column.get("formats")
        return f"CAST(try_strptime({raw}, {formats}) AS DATE)" if formats else f"try_cast({raw} AS DATE)"
    if kind == "instant":
        formats, zone = column.get("formats"), column.get("zone", time_zone)
        if not formats:
            return f"try_cast({raw} AS TIMESTAMPTZ)"
        return f"(try_strptime({raw}, {formats}) AT TIME ZONE {literal(zone)})"
    if kind == "decimal":
        return f"try_cast({raw} AS DECIMAL({column['precision']}, {column['scale']}))"
    return f"try_cast({raw} AS { {'integer': 'BIGINT', 'float': 'DOUBLE', 'boolean': 'BOOLEAN'}[kind] })"


def conditions(name, column, key):
    """What must hold of a row for this column; `raw_<name>` is the text, `<name>` the value."""
    raw, typed = quoted("raw_" + name), quoted(name)
    if column.get("required") or name in key:
        yield f"{typed} IS NOT NULL"
    elif column["type"] not in ("text", "enumeration"):
        yield f"({raw} IS NULL OR {typed} IS NOT NULL)"
    if column["type"] == "enumeration":
        yield f"({typed} IS NULL OR {typed} IN ({', '.join(literal(v) for v in column['values'])}))"
    for bound, sign in (("min", ">="), ("max", "<=")):
        if bound in column:
            yield f"({typed} IS NULL OR {typed} {sign} {column[bound]})"


def staging_query(project, source, table):
    location = os.path.join(project.folder, source["location"])
    files = sorted(glob.glob(os.path.join(location, table["files"])))
    if not files:
        raise SystemExit(f"no file {table['files']} in {location}")
    key, newest_by = table.get("key", []), table.get("newest_by")
    raws, values, rules = [], [], []
    for name, column in table["columns"].items():
        raws.append(f"nullif({field(column.get('from', name))}, '') AS {quoted('raw_' + name)}")
        values.append(f"{value(column, quoted('raw_' + name), project.time_zone)} AS {quoted(name)}")
        rules.extend(conditions(name, column, key))
    order = ([f"{quoted(newest_by)} DESC NULLS LAST"] if newest_by else []) + ["filename DESC"]
    names = ", ".join(quoted(name) for name in table["columns"])
    newest = ""
    if key:
        partition = ", ".join(quoted(k) for k in key)
        newest = f"QUALIFY row_number() OVER (PARTITION BY {partition} ORDER BY {', '.join(order)}) = 1"
    return f"""
        WITH raw AS (SELECT {', '.join(raws)}, filename FROM {reader(table, files)}),
        typed AS (SELECT *, {', '.join(values)} FROM raw)
        SELECT {names} FROM typed WHERE {' AND '.join(rules) or 'true'} {newest}"""


# --------------------------------------------------------------------------------------------------- steps as queries


# The first step of the models of repeat buying, which are functions of Perennial alone.
MODELS = "marts.customer_purchases"


class Steps:
    """The project's SQL, rendered as Perennial renders it."""

    def __init__(self, project):
        self.project, self.sql, self.views, self.reads = project, {}, set(), {}
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
        names = {}
        for path in sorted(glob.glob(f"{project.folder}/sql/*/*.sql")):
            schema, name = path.split("/")[-2], os.path.basename(path)[:-4]
            if schema not in ("macros", "tests"):
                names[f"{schema}.{name}"] = path
        variables = project.settings.get("vars") or {}
        environment.globals.update(
            as_of=project.as_of, time_zone=project.time_zone, currency=project.settings.get("currency", "EUR"),
            var=lambda name, *otherwise: variables[name] if not otherwise else variables.get(name, otherwise[0]),
            ref=lambda name: next(n for n in names if n == name or n.split(".")[1] == name),
            source=lambda source, table: f"source.{source}__{table}",
        )
        prelude = "".join(open(p).read() for p in sorted(glob.glob(f"{project.folder}/sql/macros/*.sql"))) + MACROS
        for name, path in names.items():
            header, body = re.match(r"\s*/\* ---\n(.*?)--- \*/(.*)", open(path).read(), re.S).groups()
            sql = environment.from_string(prelude + body).render()
            for pattern, replacement in REWRITES:
                sql = re.sub(pattern, replacement, sql)
            self.sql[name] = sql
            self.reads[name] = {other for other in names if other != name and re.search(rf"\b{other}\b", sql)}
            if yaml.safe_load(header).get("materialize") == "view":
                self.views.add(name)
        self.leave_out(MODELS)

    def leave_out(self, step):
        """A step that calls functions DuckDB lacks, and what reads it."""
        if self.sql.pop(step, None) is not None:
            for reader in [name for name in self.sql if step in self.reads[name]]:
                self.leave_out(reader)

    def in_order(self):
        done = []
        while len(done) < len(self.sql):
            ready = [n for n in self.sql if n not in done and self.reads[n] <= set(done)]
            if not ready:
                raise SystemExit("the steps read each other in a circle")
            done.extend(ready)
        return done


def as_dates_and_longs(connection, sql):
    """What DuckDB makes of days and whole numbers, back in the types Perennial has: Parquet knows no HUGEINT."""
    casts = []
    for name, kind, *_ in connection.execute(f"DESCRIBE {sql}").fetchall():
        if kind in ("TIMESTAMP", "HUGEINT"):
            casts.append(f"CAST({quoted(name)} AS {'DATE' if kind == 'TIMESTAMP' else 'BIGINT'}) AS {quoted(name)}")
    return f"SELECT * REPLACE ({', '.join(casts)}) FROM ({sql})" if casts else sql


# ---------------------------------------------------------------------------------------------------------------- main


class Job:
    def __init__(self, options):
        self.project, self.out, self.seconds = Project(options.project), options.out, {}
        config = {"threads": options.threads}
        if options.memory:
            config["memory_limit"] = options.memory
        self.connection = duckdb.connect(config=config)
        self.connection.execute(
            "SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET integer_division = true; "
            f"SET temp_directory = {literal(options.out + '/tmp')}"
        )
        for schema in ("source", "staging", "core", "marts"):
            self.connection.execute(f"CREATE SCHEMA {schema}")

    def write(self, name, sql):
        schema, table = name.split(".")
        path = f"{self.out}/{schema}/{table}.parquet"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        began, cpu = time.monotonic(), time.process_time()
        self.connection.execute(f"COPY ({sql}) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)")
        self.seconds[name] = {"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}
        self.register(name)

    def register(self, name):
        schema, table = name.split(".")
        path = f"{self.out}/{schema}/{table}.parquet"
        self.connection.execute(f"CREATE VIEW {schema}.{quoted(table)} AS SELECT * FROM read_parquet({literal(path)})")

    def ingest(self):
        for source_name, source in self.project.sources.items():
            for table_name, table in source["tables"].items():
                self.write(f"source.{source_name}__{table_name}", staging_query(self.project, source, table))

    def steps(self):
        for source_name, source in self.project.sources.items():
            for table_name in source["tables"]:
                self.register(f"source.{source_name}__{table_name}")
        steps = Steps(self.project)
        for name in steps.in_order():
            if name in steps.views:
                self.connection.execute(f"CREATE VIEW {name} AS {steps.sql[name]}")
            else:
                self.write(name, as_dates_and_longs(self.connection, steps.sql[name]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project")
    parser.add_argument("out")
    parser.add_argument("phase", choices=["ingest", "steps"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", help="DuckDB's memory_limit, as in 1GB; its own default otherwise")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    job = Job(options)
    {"ingest": job.ingest, "steps": job.steps}[options.phase]()
    json.dump(job.seconds, open(f"{options.out}/{options.phase}.json", "w"), indent=1)


if __name__ == "__main__":
    main()
