"""Prints one table over the comparisons of perf/peers/run, from the JSON files in a folder.

usage: table.py FOLDER PEER...

Of each peer `PEER.rate.json` and, after a closed loop, `PEER.latency.json` are read. A ratio is
the peer's median against sluicegate's in the same comparison; for rate and CPU it is the median
of the ratios of pairs.
"""

import json
import pathlib
import sys

HEAD = ("program", "over", "messages/s", "x", "CPU us/msg", "x", "peak RSS MiB", "x",
        "at rate", "p50 us", "p99 us", "x", "verdict")


def comparison(folder, name):
    """The comparison in a file, or None when there is no such file."""
    path = pathlib.Path(folder) / name
    if not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"))["result"]["compare"]


def number(value):
    """Three significant digits or all whole ones; a dash for what is unknown."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def quotient(value, base):
    """value / base where both are known."""
    return value / base if value is not None and base else None


def cost_of(contender, field, unit):
    """A figure of the median cost in another unit, or None."""
    cost = contender["median"]["cost"]
    return cost[field] / unit if cost else None


def median_of(ratio):
    """The median of a ratio with spread, or None for the first program."""
    return ratio["median"] if ratio else None


def transport(settings):
    """How the programs were connected."""
    return "TCP" if settings["target"].get("hub", {}).get("plain") else "TLS"


def verdict(*contenders):
    """Every standing that a run had other than the good one, with how often."""
    standings = [run["standing"] for contender in contenders for run in contender["runs"]]
    bad = sorted(set(standings) - {"passed"})
    return ", ".join(f"{word} {standings.count(word)}/{len(standings)}" for word in bad) or "passed"


def latency_cells(found, index):
    """Rate asked, p50, p99 and its ratio, of an open loop alone."""
    pace = found["settings"]["pace"] if found else None
    if not isinstance(pace, dict):
        return ["-"] * 4
    median = found["programs"][index]["median"]
    ratio = quotient(median["p99_us"], found["programs"][0]["median"]["p99_us"])
    rate = pace["open"]["rate"]
    return [number(value) for value in (rate, median["p50_us"], median["p99_us"], ratio)]


def row(by_rate, by_latency, index):
    """One program of a pair of comparisons."""
    first, program = by_rate["programs"][0], by_rate["programs"][index]
    cpu = cost_of(program, "cpu_ns_per_message", 1000)
    rss = cost_of(program, "rss_peak_kib", 1024)
    rss_ratio = quotient(rss, cost_of(first, "rss_peak_kib", 1024))
    figures = (program["median"]["rate"], median_of(program["rate_ratio"]), cpu,
               median_of(program["cpu_ratio"]), rss, rss_ratio if index else None)
    latency = latency_cells(by_latency or by_rate, index)
    if index == 0:
        latency[3] = "-"
    runs = [found["programs"][index] for found in (by_rate, by_latency) if found]
    return [program["name"], transport(by_rate["settings"]), *map(number, figures), *latency,
            verdict(*runs)]


def main(folder, *peers):
    """Prints the table: each peer below sluicegate as it was beside it."""
    rows = [HEAD]
    for peer in peers:
        by_rate = comparison(folder, f"{peer}.rate.json")
        if by_rate is None:
            rows.append([peer] + ["-"] * (len(HEAD) - 2) + ["no result"])
            continue
        by_latency = comparison(folder, f"{peer}.latency.json")
        rows += [row(by_rate, by_latency, index) for index in range(len(by_rate["programs"]))]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEAD))]
    for line in rows:
        cells = [cell.rjust(width) if 1 < column < len(HEAD) - 1 else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
