"""Perennial and DuckDB do the same night from the same files, in turn; prints CPU, time and memory as ratios.

    python benches/compare.py --customers 2000                       # seconds
    python benches/compare.py --customers 134700 --rounds 3          # size Q: 2.5 million order lines, 1.4 GB of files

See README.md beside this file.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

from duckdb_job import MODELS

HERE = os.path.dirname(os.path.abspath(__file__))
PHASES = ["ingest", "steps"]


def measure(command, log):
    """CPU seconds (user + system), wall seconds and peak resident memory in MB (millions of bytes) of one process."""
    with open(log, "w") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{open(log).read()[-3000:]}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "rss": usage.ru_maxrss * 1024 / 1e6}


def make_company(options, folder):
    """The demo company as a project that issues no reports."""
    if os.path.exists(f"{folder}/ready"):
        return
    shutil.rmtree(folder, ignore_errors=True)
    command = [options.perennial, "demo", folder, "--customers", str(options.customers), "--no-run"]
    subprocess.run(command, check=True)
    replace(f"{folder}/pipelines/nightly.yml", r"(?m)^reports:.*$", "reports: []")
    replace(f"{folder}/perennial.yml", r"(?m)^memory_limit:.*$", f"memory_limit: {options.memory}")
    open(f"{folder}/ready", "w").close()


def replace(path, pattern, text):
    old = open(path).read()
    new, count = re.subn(pattern, text, old)
    if count != 1:
        sys.exit(f"{path}: {count} times {pattern}, expected once")
    open(path, "w").write(new)


class Perennial:
    name = "perennial"

    def __init__(self, options, project, work):
        self.options, self.project, self.work = options, project, work

    def clean(self):
        shutil.rmtree(f"{self.project}/lake", ignore_errors=True)

    def run(self, phase):
        command = [self.options.perennial, "run", "--project", self.project]
        # DuckDB has no models of repeat buying: what rests on them is left out on both sides.
        command += ["--exclude", "*" if phase == "ingest" else f"{MODELS}+"]
        self.log = f"{self.work}/perennial-{phase}.log"
        return measure(command, self.log)

    def seconds(self, phase):
        """Wall seconds of each table or step. Steps overlap, and their column tests count."""
        if phase == "ingest":
            found = re.findall(r"source\s+(\w+)\.(\w+) .*?([\d.]+) s", open(f"{self.work}/perennial-ingest.log").read())
            return {f"source.{source}__{table}": float(seconds) for source, table, seconds in found}
        query = "SELECT step, elapsed_seconds FROM system.steps WHERE run_id = (SELECT max(run_id) FROM system.steps)"
        command = [self.options.perennial, "query", "--project", self.project, "--format", "json", query]
        rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return {row["step"]: float(row["elapsed_seconds"]) for row in rows}


class DuckDB:
    name = "duckdb"

    def __init__(self, options, project, work):
        self.options, self.project, self.out, self.work = options, project, f"{work}/duckdb", work

    def clean(self):
        shutil.rmtree(self.out, ignore_errors=True)

    def run(self, phase):
        command = [sys.executable, f"{HERE}/duckdb_job.py", self.project, self.out, phase,
                   "--threads", str(self.options.threads)]
        if self.options.duckdb_memory:
            command += ["--memory", self.options.duckdb_memory]
        return measure(command, f"{self.work}/duckdb-{phase}.log")

    def seconds(self, phase):
        return {name: took["wall"] for name, took in json.load(open(f"{self.out}/{phase}.json")).items()}


def one_round(peers, number, results):
    """Both phases of both, begun by another one each round."""
    order = peers if number % 2 == 0 else peers[::-1]
    for peer in order:
        peer.clean()
    for phase in PHASES:
        for peer in order:
            measured = peer.run(phase)
            results.setdefault((peer.name, phase), []).append(measured)
            print(f"round {number + 1}  {peer.name:9} {phase:6}  cpu {measured['cpu']:7.2f} s  "
                  f"wall {measured['wall']:7.2f} s  peak {measured['rss']:5.0f} MB", flush=True)


def add_totals(results):
    for name in ("perennial", "duckdb"):
        rounds = zip(*(results[name, phase] for phase in PHASES))
        results[name, "total"] = [
            {"cpu": sum(p["cpu"] for p in r), "wall": sum(p["wall"] for p in r), "rss": max(p["rss"] for p in r)}
            for r in rounds
        ]


def print_ratios(results):
    add_totals(results)
    print("\nmedians of rounds; ratios are perennial / DuckDB of the same round\n")
    heads = ["phase ", "CPU s perennial", "DuckDB", "ratio", "wall s perennial", "DuckDB", "ratio", "peak MB perennial",
             "DuckDB"]
    print("| " + " | ".join(heads) + " |")
    print("|-" + "|-".join("-" * len(head) + ("-" if i == 0 else ":") for i, head in enumerate(heads)) + "|")
    for phase in [*PHASES, "total"]:
        ours, theirs = results["perennial", phase], results["duckdb", phase]
        cells = [f"{phase:6}"]
        for unit, width in (("cpu", 15), ("wall", 16)):
            median = [statistics.median(r[unit] for r in side) for side in (ours, theirs)]
            ratio = statistics.median(a[unit] / b[unit] for a, b in zip(ours, theirs))
            cells += [f"{median[0]:{width}.2f}", f"{median[1]:6.2f}", f"{ratio:5.2f}"]
        cells += [f"{max(r['rss'] for r in ours):17.0f}", f"{max(r['rss'] for r in theirs):6.0f}"]
        print("| " + " | ".join(cells) + " |")


def print_parts(peers):
    """What costs most against DuckDB, in the last round."""
    ours, theirs = peers
    print("\nwall seconds of tables and steps in the last round; perennial's steps overlap and test their columns\n")
    for phase in PHASES:
        left, right = ours.seconds(phase), theirs.seconds(phase)
        for name in sorted(right, key=lambda n: right[n] - left.get(n, 0)):
            print(f"{name:34} perennial {left.get(name, 0):7.2f}  duckdb {right[name]:7.2f}")


def print_commands(options, project, work):
    print()
    for words in (["--help"], ["check", "--project", project]):
        found = [measure([options.perennial, *words], f"{work}/command.log") for _ in range(10)]
        wall, cpu = (statistics.median(f[unit] for f in found) * 1000 for unit in ("wall", "cpu"))
        print(f"perennial {words[0]:8} median of 10: wall {wall:6.1f} ms, CPU {cpu:6.1f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--perennial", default="target/debug/perennial", help="the program (default: %(default)s)")
    parser.add_argument("--work", default="target/bench", help="folder for files and results (default: %(default)s)")
    parser.add_argument("--customers", type=int, default=2000, help="size of the company; 134700 is size Q")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="1GB", help="perennial's memory_limit (default: %(default)s)")
    parser.add_argument("--duckdb-memory", help="DuckDB's memory_limit; its own default otherwise")
    parser.add_argument("--threads", type=int, default=2, help="threads of both (default: %(default)s)")
    options = parser.parse_args()
    options.perennial, options.work = os.path.abspath(options.perennial), os.path.abspath(options.work)
    os.makedirs(options.work, exist_ok=True)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    project = f"{options.work}/company-{options.customers}-{options.memory}"
    make_company(options, project)
    peers = [Perennial(options, project, options.work), DuckDB(options, project, options.work)]
    results = {}
    for number in range(options.rounds):
        one_round(peers, number, results)
    with open(f"{options.work}/results.json", "w") as out:
        json.dump({" ".join(key): value for key, value in results.items()}, out, indent=1)
    print_ratios(results)
    print_parts(peers)
    print_commands(options, project, options.work)
    print(flush=True)
    agreed = subprocess.run([sys.executable, f"{HERE}/agreement.py", f"{project}/lake", peers[1].out])
    sys.exit(agreed.returncode)


if __name__ == "__main__":
    main()
