"""From PostgreSQL to Parquet: Perennial, ADBC and connectorx read the same table in turn; prints wall and CPU seconds
and their ratios.

    python3 -m pip install pyarrow adbc-driver-postgresql connectorx
    python benches/postgresql.py --perennial target/debug/perennial --rows 5000000 --rounds 3

Starts a PostgreSQL of its own (--programs) in a folder below --work, makes a table of order lines with 13 columns there
and ends it when done. See README.md beside this file.
"""
import argparse
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import time

ACCOUNT = "nobody"  # PostgreSQL does not run as root

TABLE = """
CREATE UNLOGGED TABLE order_lines (
    line_id bigint PRIMARY KEY, order_id bigint NOT NULL, customer_id integer NOT NULL, sku text NOT NULL,
    description varchar(60), quantity integer NOT NULL, unit_price numeric(12,2) NOT NULL, discount numeric(6,4),
    amount numeric(14,2) NOT NULL, currency char(3) NOT NULL, ordered_at timestamptz NOT NULL, updated_at timestamp,
    ship_date date);
INSERT INTO order_lines
SELECT i, 1 + i / 3, 1 + (i * 7919) % 134700, 'SKU-' || lpad(((i * 104729) % 20000)::text, 6, '0'),
    CASE WHEN i % 11 > 0 THEN 'Article ' || (i * 31) % 20000 || ' in colour ' || i % 17 END,
    1 + i % 12, (100 + (i * 6367) % 99900) / 100.0, CASE WHEN i % 5 = 0 THEN (i % 40) / 100.0 END,
    (1 + i % 12) * ((100 + (i * 6367) % 99900) / 100.0), (ARRAY['EUR', 'USD', 'CNY'])[1 + i % 3],
    timestamptz '2024-01-01' + i * interval '10 seconds',
    CASE WHEN i % 4 > 0 THEN timestamp '2024-01-02' + i * interval '11 seconds' + interval '123456 microseconds' END,
    CASE WHEN i % 7 > 0 THEN date '2024-01-03' + (i / 9000)::int END
FROM generate_series(1::bigint, {rows}) AS i;
VACUUM (ANALYZE) order_lines;
"""

# Perennial's contract of it.
SOURCE = """
location: postgresql://postgres@localhost:{port}/postgres
tls: off
connections: {connections}
tables:
  order_lines:
    description: Lines of orders
    load: append
    key: [line_id]
    columns:
      line_id: {{type: integer}}
      order_id: {{type: integer}}
      customer_id: {{type: integer}}
      sku: {{type: text}}
      description: {{type: text}}
      quantity: {{type: integer}}
      unit_price: {{type: decimal, precision: 12, scale: 2}}
      discount: {{type: decimal, precision: 6, scale: 4}}
      amount: {{type: decimal, precision: 14, scale: 2}}
      currency: {{type: text}}
      ordered_at: {{type: instant}}
      updated_at: {{type: instant, zone: UTC}}
      ship_date: {{type: date}}
"""

ADBC = """
import sys, adbc_driver_postgresql.dbapi, pyarrow.parquet
uri, out = sys.argv[1:]
with adbc_driver_postgresql.dbapi.connect(uri) as connection, connection.cursor() as cursor:
    cursor.execute('SELECT * FROM order_lines')
    batches = cursor.fetch_record_batch()
    rows = 0
    with pyarrow.parquet.ParquetWriter(out, batches.schema, compression='zstd') as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
print(rows)
"""

CONNECTORX = """
import sys, connectorx, pyarrow.parquet
uri, out = sys.argv[1:]
table = connectorx.read_sql(uri, 'SELECT * FROM order_lines', return_type='arrow', partition_on='line_id',
                            partition_num=2)
pyarrow.parquet.write_table(table, out, compression='zstd')
print(table.num_rows)
"""


class Server:
    """A PostgreSQL that is started for the benchmark."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.data = f"{folder}/data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.account = {}
        if os.getuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            os.makedirs(folder, exist_ok=True)
            os.chown(folder, account.pw_uid, account.pw_gid)
            self.account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        if not os.path.exists(self.data):
            subprocess.run([f"{programs}/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                            "-E", "UTF8", "--locale=C"], check=True, **quiet, **self.account)
        settings = [f"port={self.port}", f"unix_socket_directories={folder}", "fsync=off", "shared_buffers=1GB",
                    "max_wal_size=8GB", "autovacuum=off", "max_parallel_workers_per_gather=0", "jit=off"]
        flags = [flag for setting in settings for flag in ("-c", setting)]
        self.process = subprocess.Popen([f"{programs}/postgres", "-D", self.data, *flags], **quiet, **self.account)
        while subprocess.run([f"{programs}/pg_isready", "-q", "-h", "localhost", "-p", str(self.port)]).returncode:
            if self.process.poll() is not None:
                sys.exit("PostgreSQL did not start")
            time.sleep(0.1)

    def psql(self, *arguments):
        command = [f"{self.programs}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "localhost", "-p",
                   str(self.port), "-U", "postgres", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def make_table(self, rows):
        if self.psql("-c", "SELECT to_regclass('order_lines') IS NOT NULL") == "t":
            if self.psql("-c", "SELECT count(*) FROM order_lines") == str(rows):
                return
            self.psql("-c", "DROP TABLE order_lines")
        for statement in TABLE.format(rows=rows).split(";\n"):
            if statement.strip():
                self.psql("-c", statement)

    def cpu(self):
        """CPU seconds of the server and of its processes that have ended."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def measure(command, server, log, environment=None):
    """Wall seconds, CPU seconds of the client and of the server, and the client's peak memory in MB."""
    before = server.cpu()
    with open(log, "w") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}:\n{open(log).read()[-3000:]}")
    time.sleep(0.3)  # until the server has collected its processes
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "server cpu": server.cpu() - before,
            "rss": usage.ru_maxrss * 1024 / 1e6}


def project(folder, port, connections):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(f"{folder}/pipelines/sources")
    with open(f"{folder}/perennial.yml", "w") as settings:
        settings.write("name: bench\nlake: lake\ntime_zone: UTC\n")
    with open(f"{folder}/pipelines/sources/erp.yml", "w") as source:
        source.write("description: An ERP\n" + SOURCE.format(port=port, connections=connections).lstrip())
    with open(f"{folder}/pipelines/nightly.yml", "w") as pipeline:
        pipeline.write("sources: [erp]\nsteps: []\nreports: []\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--perennial", help="the program; reads, checks the contract, writes the lake")
    parser.add_argument("--reader", help="the library's test binary: only reads and writes Parquet")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--programs", default="/usr/lib/postgresql/15/bin")
    parser.add_argument("--work", default="/tmp/perennial-bench-postgresql")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    server = Server(options.programs, f"{options.work}/server")
    try:
        server.make_table(options.rows)
        url = f"postgresql://postgres@localhost:{server.port}/postgres"
        out = f"{options.work}/out"
        results = {}
        jobs = {}
        if options.perennial:
            jobs["perennial"] = ([options.perennial, "run", "--project", f"{options.work}/project"], None)
        if options.reader:
            jobs["reader"] = ([options.reader, "--ignored", "--exact", "databases::postgresql::tests::speed::drain"],
                              {"PERENNIAL_BENCH_URL": url, "PERENNIAL_BENCH_OUT": out,
                               "PERENNIAL_BENCH_CONNECTIONS": str(options.connections)})
        jobs["adbc"] = ([sys.executable, "-c", ADBC, url, f"{out}/adbc.parquet"], None)
        jobs["connectorx"] = ([sys.executable, "-c", CONNECTORX, url, f"{out}/connectorx.parquet"], None)
        for number in range(options.rounds):
            for name, (command, environment) in jobs.items():
                shutil.rmtree(out, ignore_errors=True)
                os.makedirs(out)
                if name == "perennial":
                    project(f"{options.work}/project", server.port, options.connections)
                measured = measure(command, server, f"{options.work}/{name}.log", environment)
                results.setdefault(name, []).append(measured)
                print(f"round {number + 1}  {name:10}  " + "  ".join(f"{k} {v:7.2f}" for k, v in measured.items()),
                      flush=True)
        report(results)
    finally:
        server.stop()


def report(results):
    """Medians; ratios are those of the same round."""
    heads = ["", "wall s", "CPU s", "server CPU s", "peak MB"]
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for name, rounds in results.items():
        cells = [f"{statistics.median(r[k] for r in rounds):.2f}" for k in ("wall", "cpu", "server cpu")]
        print(f"| {name} | " + " | ".join(cells) + f" | {max(r['rss'] for r in rounds):.0f} |")
    for ours in ("perennial", "reader"):
        for peer in ("adbc", "connectorx"):
            if ours in results and peer in results:
                pairs = list(zip(results[peer], results[ours]))
                ratio = {k: statistics.median(a[k] / b[k] for a, b in pairs) for k in ("wall", "cpu")}
                both = statistics.median((a["cpu"] + a["server cpu"]) / (b["cpu"] + b["server cpu"]) for a, b in pairs)
                print(f"{peer} takes {ratio['wall']:.2f} times the wall, {ratio['cpu']:.2f} times the CPU of {ours} "
                      f"(with the server's: {both:.2f})")


if __name__ == "__main__":
    main()
