"""Reads Delta tables with programs that share no code with the lake and compares the rows with those of a release.

Each line on standard input is a request in JSON, which is answered by a line in JSON on standard output.
"""
import collections, datetime, decimal, glob, importlib.resources, json, os, random, sys, traceback

import chdb
import deltalake
import duckdb
import pyarrow
import pyarrow.compute
import pyarrow.dataset
import pyarrow.ipc
import pyarrow.parquet

# ClickHouse reads only what is below the working directory.
os.chdir("/")
UTC = datetime.timezone.utc
sample = random.Random(0)
connection = duckdb.connect()
extensions = str(importlib.resources.files("duckdb_extension_delta"))
connection.execute(f"LOAD '{glob.glob(extensions + '/**/delta.duckdb_extension', recursive=True)[0]}'")
connection.execute("SET TimeZone = 'UTC'")


def text(value):
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def delta_rs(table, condition=None):
    dataset = deltalake.DeltaTable(table).to_pyarrow_dataset()
    if condition is None:
        return dataset.to_table()
    return dataset.to_table(filter=arrow_condition(*condition))


def duckdb_delta(table, condition=None):
    where, values = "", [table]
    if condition is not None:
        name, value = condition
        where = f' WHERE "{name}" ' + ("IS NULL" if value is None else ">= ?")
        values += [] if value is None else [value]
    return connection.execute(f"SELECT * FROM delta_scan(?){where}", values).to_arrow_table()


def clickhouse(kernel):
    """ClickHouse reads logs with code of its own, or with the library that Delta's authors provide."""

    def read(table, condition=None):
        where = ""
        if condition is not None:
            name, value = condition
            where = f" WHERE `{name}` " + ("IS NULL" if value is None else f">= {literal(value)}")
        query = (
            f"SELECT * FROM deltaLakeLocal({text(table)}){where} SETTINGS allow_experimental_delta_kernel_rs={kernel}, "
            "output_format_arrow_string_as_string=1, output_format_arrow_fixed_string_as_fixed_byte_array=0"
        )
        answer = chdb.query(query, "Arrow").bytes()
        return pyarrow.ipc.open_file(answer).read_all() if answer else None

    return read


def arrow_condition(name, value):
    field = pyarrow.dataset.field(name)
    return field.is_null() if value is None else field >= value


def literal(value):
    if isinstance(value, str):
        return text(value)
    if isinstance(value, datetime.datetime):
        return f"toDateTime64('{value.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}', 6, 'UTC')"
    if isinstance(value, datetime.date):
        return f"toDate32('{value}')"
    if isinstance(value, decimal.Decimal):
        return f"toDecimal128('{value}', {-value.as_tuple().exponent})"
    return str(value)


READERS = {
    "delta-rs": delta_rs,
    "duckdb": duckdb_delta,
    "clickhouse": clickhouse(0),
    "clickhouse with delta-kernel-rs": clickhouse(1),
}


def plain(value, data_type, lossy):
    """A value that can be compared; ClickHouse has no NULL lists and structs."""
    if pyarrow.types.is_list(data_type) or pyarrow.types.is_large_list(data_type):
        if value is None:
            return [] if lossy else None
        return [plain(v, data_type.value_type, lossy) for v in value]
    if pyarrow.types.is_struct(data_type):
        if value is None and not lossy:
            return None
        fields = [data_type.field(i) for i in range(data_type.num_fields)]
        return {f.name: plain((value or {}).get(f.name), f.type, lossy) for f in fields}
    if isinstance(value, bytes):
        return "bytes " + value.hex()
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return None if value is None else str(value)


def rows(table, lossy):
    columns = [
        [plain(value, field.type, lossy) for value in column.to_pylist()]
        for field, column in zip(table.schema, table.columns)
    ]
    return collections.Counter(json.dumps(row, ensure_ascii=False) for row in zip(*columns))


def of_release(schema, files):
    """The rows of a release, read from its Parquet files."""
    parts = [schema.empty_table()]
    for file in files:
        part = pyarrow.parquet.ParquetFile(file).read()
        columns = [
            part[f.name].cast(f.type) if f.name in part.schema.names else pyarrow.nulls(len(part), f.type)
            for f in schema
        ]
        parts.append(pyarrow.table(columns, schema=schema))
    return pyarrow.concat_tables(parts)


def conditions(expected):
    """Conditions on single columns: is NULL, and for columns with an order, has the greatest value."""
    types = pyarrow.types
    ordered = (types.is_integer, types.is_date, types.is_timestamp, types.is_decimal, types.is_string)
    for field, column in zip(expected.schema, expected.columns):
        if not types.is_nested(field.type):
            yield field.name, None
        if any(is_type(field.type) for is_type in ordered):
            greatest = pyarrow.compute.max(column).as_py()
            if greatest is not None:
                yield field.name, greatest


def compare(table, schema, files, max_conditions):
    schema = pyarrow.parquet.read_schema(schema).remove_metadata()
    expected = of_release(schema, files)
    problems = []
    chosen = list(conditions(expected))
    chosen = sample.sample(chosen, min(max_conditions, len(chosen)))
    for reader, read in READERS.items():
        lossy = reader.startswith("clickhouse")
        for condition in [None, *chosen]:
            wanted = expected
            if condition is not None:
                wanted = expected.filter(arrow_condition(*condition))
            what = f"{reader}, {table}, {condition}"
            try:
                found = read(table, condition)
                if found is None:
                    found = schema.empty_table()
                if found.schema.names != schema.names:
                    problems.append(f"{what}: columns {found.schema.names}, expected {schema.names}")
                    continue
                found = pyarrow.table([found[f.name].cast(f.type) for f in schema], schema=schema)
            except BaseException as error:
                # ClickHouse itself does not read tables whose columns have changed.
                if reader == "clickhouse" and "Reading from files with different schema" in str(error):
                    break
                problems.append(f"{what}: {type(error).__name__}: {error}")
                continue
            found, wanted = rows(found, lossy), rows(wanted, lossy)
            if found != wanted:
                problems.append(f"{what}: too many {found - wanted}, missing {wanted - found}")
    return problems


def run(code, arguments):
    scope = {**globals(), "arguments": arguments, "result": None}
    exec(code, scope)
    return scope["result"]


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": {"compare": compare, "run": run}[request.pop("call")](**request)}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    print(json.dumps(answer, default=str), flush=True)
# Threads of the libraries may abort when the interpreter shuts down.
os._exit(0)
