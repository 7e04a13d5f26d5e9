"""One million customers: fits and scores here and in lifetimes, CPU seconds on the same Parquet file.

    python3 -m venv venv && venv/bin/pip install lifetimes pyarrow
    cargo test -p perennial -p perennial-functions --bench scores --no-run
    venv/bin/python benches/customer_base.py target/debug/deps/scores-* [--customers 1000000] [--file customers.parquet]

The file is made where it is absent: a BG/NBD and Gamma-Gamma world with the parameters of CDNOW, 78 weeks, days of
purchase merged. lifetimes is the package that analysts use; its lifetime value discounts month by month, ours
continuously, so that the two differ by some per cent and only the time is compared.
"""

import argparse
import os
import subprocess
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def make(path, n):
    """Customers who buy at gamma distributed rates and drop out with beta distributed probabilities."""
    rng = np.random.default_rng(1)
    rate = rng.gamma(0.2426, 1 / 4.4136, n) / 7
    drop_out = rng.beta(0.7929, 2.4259, n)
    spend_rate = rng.gamma(3.744, 1 / 15.444, n)
    age = 78 * 7 - rng.integers(0, 24 * 7, n)
    frequency, last, total, time_now = np.zeros(n, int), np.zeros(n, int), np.zeros(n), np.zeros(n)
    alive = np.arange(n)
    while len(alive):
        time_now[alive] += rng.exponential(1 / rate[alive])
        alive = alive[time_now[alive] < age[alive]]
        day = np.floor(time_now[alive]).astype(int)
        later = day > last[alive]
        buyers = alive[later]
        frequency[buyers] += 1
        last[buyers] = day[later]
        total[buyers] += np.round(rng.gamma(6.25, 1 / spend_rate[buyers]), 2)
        alive = alive[rng.random(len(alive)) >= drop_out[alive]]
    mean = np.round(total / np.maximum(frequency, 1), 4)
    table = {
        "frequency": pa.array(frequency, pa.int64()),
        "recency": pa.array(last / 7.0),
        "age": pa.array(age / 7.0),
        "mean_spend": pa.array(mean, mask=frequency == 0),
    }
    pq.write_table(pa.table(table), path, compression="zstd", row_group_size=131072)


def ours(program, path):
    text = subprocess.run([program, path], check=True, capture_output=True, text=True).stdout
    return {name: float(seconds) for seconds, name in (line.split("\t") for line in text.splitlines())}


def theirs(path):
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    seconds = {}

    def measured(name, work):
        before = time.process_time()
        result = work()
        seconds[name] = time.process_time() - before
        return result

    data = measured("read alone", lambda: pq.read_table(path).to_pandas())
    x, t_x, age = data.frequency, data.recency, data.age
    fit = measured("bg_nbd_fit", lambda: BetaGeoFitter().fit(x, t_x, age))
    repeat = data[x > 0]
    spend = measured("gamma_gamma_fit", lambda: GammaGammaFitter().fit(repeat.frequency, repeat.mean_spend))
    mean = data.mean_spend.fillna(0)
    measured("p_alive", lambda: fit.conditional_probability_alive(x, t_x, age))
    predict = fit.conditional_expected_number_of_purchases_up_to_time
    measured("expected_purchases", lambda: predict(52, x, t_x, age))
    measured("expected_spend", lambda: spend.conditional_expected_average_profit(x, mean))
    value = spend.customer_lifetime_value
    monthly = 1.1 ** (1 / 12) - 1
    measured("customer_lifetime_value", lambda: value(fit, x, t_x, age, mean, 12, monthly, freq="W"))
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built benchmark `scores`")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--file", default="/tmp/customers.parquet")
    options = parser.parse_args()
    if not os.path.exists(options.file):
        make(options.file, options.customers)
    here, there = ours(options.program, options.file), theirs(options.file)
    print(f"{'CPU seconds':34}{'here':>9}{'lifetimes':>11}{'ratio':>9}")
    for name, seconds in here.items():
        peer = there.get(name)
        print(f"{name:34}{seconds:9.3f}" + (f"{peer:11.2f}{peer / seconds:8.0f}x" if peer is not None else ""))


if __name__ == "__main__":
    main()
