"""Whether both did the same work: `agreement.py LAKE OUT` compares every table that DuckDB wrote below OUT with the
newest release of a Perennial lake. Rows are counted, decimals and whole numbers summed exactly, and all columns but
floating-point ones hashed row by row, whatever the order of rows; sums of floating-point columns agree to nine digits.
"""
import glob
import json
import os
import sys

import duckdb


def release(lake):
    """Files of every table in the newest release."""
    newest = sorted(glob.glob(f"{lake}/_perennial/releases/*.json"))[-1]
    found = {}
    for name, table in json.load(open(newest))["release"]["tables"].items():
        hash = table["manifest"]
        manifest = json.load(open(f"{lake}/_perennial/objects/{hash[:2]}/{hash}"))
        found[name] = [f"{lake}/{file['path']}" for file in manifest["files"]]
    return found


def summary(connection, files, columns):
    sums, hashed, floats = [], [], []
    for name, kind in columns.items():
        value = f'CAST("{name}" AS {kind})'
        if kind == "DOUBLE":
            floats.append(f"sum({value})")
            continue
        hashed.append(value)
        if kind.startswith("DECIMAL") or kind == "BIGINT":
            sums.append(f"sum({value})")
    parts = ["count(*)", f"sum(CAST(hash({', '.join(hashed)}) AS HUGEINT))", *sums]
    exact = ", ".join(f"CAST({part} AS VARCHAR)" for part in parts)
    return connection.execute(f"SELECT [{exact}], [{', '.join(floats)}] FROM read_parquet({files})").fetchone()


def same_float(a, b):
    return a == b or (a is not None and b is not None and abs(a - b) <= 1e-9 * max(abs(a), abs(b)))


def main():
    lake, out = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "3GB"})
    connection.execute(f"SET TimeZone = 'UTC'; SET temp_directory = '{out}/tmp'")
    theirs, different, tables, rows = release(lake), [], 0, 0
    for path in sorted(glob.glob(f"{out}/*/*.parquet")):
        schema, name = path.split("/")[-2], os.path.basename(path)[:-8]
        if schema == "source":
            continue
        # Types are Perennial's: DuckDB knows narrower ones for the same values.
        files = theirs.get(f"{schema}.{name}")
        if not files:
            different.append(f"{schema}.{name}: no rows in the lake")
            continue
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({files})").fetchall()
        columns = {column: kind for column, kind, *_ in described}
        left, right = (summary(connection, f, columns) for f in (files, [path]))
        tables, rows = tables + 1, rows + int(left[0][0])
        if left[0] != right[0] or not all(map(same_float, left[1], right[1])):
            different.append(f"{schema}.{name}: rows, hash and sums are\n  {left} in the lake and\n  {right} in DuckDB")
    print(f"{tables - len(different)} of {tables} tables with {rows:,} rows agree")
    print("\n".join(different), end="\n" if different else "")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
