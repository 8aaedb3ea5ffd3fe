#!/usr/bin/env python3
"""closewait over a fleet: Spark says who works on what and tries again; closewait does the work.

    spark-submit closewait_fleet.py points DAY VERDICTS      a task a capture point, its files in order
    spark-submit closewait_fleet.py parts DAY PARTS          a task a file: its segments as a table
    spark-submit closewait_fleet.py verdicts PARTS VERDICTS  a task a point, or a share of a large one

DAY and PARTS are trees of point=HOST-IFACE/ folders that every worker sees under the same path. What stands
after -- goes to closewait: -- --all --local 172.18.0.0/24

Each task writes files that are whole or not there, under names that depend on its work alone: a task that
is killed and tried again, or runs twice, leaves one result. The status is 2 if any capture could not be
read wholly; which ones is said, with closewait's own words.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Octets of parts that one task judges: some millions of packets.
SHARE = 256 << 20
MOST_SHARES = 64
# Lines of closewait's that are repeated for each task.
LINES = 8


def closewait(name, arguments):
    """Runs the binary that travels with the job. Raises where it was killed: Spark tries again."""
    from pyspark import SparkFiles

    binary = Path(SparkFiles.get(name))
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    run = subprocess.run([str(binary), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode not in (0, 1, 2):
        raise RuntimeError(f"closewait ended with {run.returncode}: {run.stderr[-1000:]}")
    return run.returncode, run.stderr.splitlines()


def points(tree):
    """Folders of capture points, by their names."""
    return {path.name.removeprefix("point="): path for path in sorted(Path(tree).glob("**/point=*")) if path.is_dir()}


def captures(folder):
    is_capture = lambda path: path.is_file() and not path.name.startswith(".") and ".pcap" in path.name
    return sorted(path for path in folder.iterdir() if is_capture(path))


def parts(folder):
    return sorted(path for path in folder.glob("*.parquet") if not path.name.startswith("."))


def report(what, status, lines, **more):
    return {"what": what, "status": status, "lines": lines[-LINES:], **more}


def judge_point(task, name, more):
    """D: the files of a point, as anyone would read them."""
    point, files, out = task
    options = ["--threads", "1", "--format", "parquet", *more]
    status, lines = closewait(name, [*options, *files, "-o", out])
    return report(point, status, lines, out=out)


def make_part(task, name, more):
    """A, first half: one file."""
    file, out = task
    status, lines = closewait(name, ["facts", *more, file, "-o", out])
    # The first line says what leaves the host; one is enough of it.
    return report(file, status, lines[1:], out=out, says=lines[:1])


def judge_parts(task, name, more):
    """A, second half: a point, or a share of it."""
    point, folder, share, tell, told, out = task
    options = ["judge", folder, "--threads", "1", "--format", "parquet", *more, "-o", out]
    if share:
        options += ["--shard", share]
    if tell:
        options += ["--tell", tell]
    for path in told:
        options += ["--told", path]
    status, lines = closewait(name, options)
    apart = any(f"--shard {share}: " in line for line in lines)
    return report(point, status, lines, out=out, tell=tell, is_whole_only=bool(share) and apart)


class Job:
    def __init__(self, spark, binary, more):
        self.context, self.name, self.more = spark.sparkContext, os.path.basename(binary), more
        self.context.addFile(binary)
        self.binary = binary

    def run(self, work, tasks):
        if not tasks:
            return []
        name, more = self.name, self.more
        rows = self.context.parallelize(tasks, len(tasks))
        return rows.map(lambda task: work(task, name, more)).collect()

    def points(self, day, out):
        Path(out).mkdir(parents=True, exist_ok=True)
        found = {point: captures(folder) for point, folder in points(day).items()}
        tasks = [(point, [str(file) for file in files], f"{out}/{point}.parquet") for point, files in found.items() if files]
        return self.run(judge_point, tasks)

    def parts(self, day, out):
        tasks = []
        for point, folder in points(day).items():
            to = Path(out) / f"point={point}"
            to.mkdir(parents=True, exist_ok=True)
            tasks += [(str(file), f"{to}/{file.name}.parquet") for file in captures(folder)]
        return self.run(make_part, tasks)

    def verdicts(self, tree, out, shares):
        Path(out).mkdir(parents=True, exist_ok=True)
        aside = Path(out) / ".told"
        aside.mkdir(exist_ok=True)
        found = {point: folder for point, folder in points(tree).items() if parts(folder)}
        many = {point: shares or wanted(folder) for point, folder in found.items()}

        def tasks(chosen, told):
            of = [(point, n) for point in chosen for n in range(1, many[point] + 1)]
            return [self.task(point, found[point], n, many[point], out, aside, told) for point, n in of]

        done = self.run(judge_parts, tasks(found, told=False))
        # Where connections of two shares belong together, no share can judge them.
        whole = {row["what"] for row in done if row["is_whole_only"]}
        again = [point for point in found if many[point] > 1 and point not in whole and self.is_needed(point, many[point], aside)]
        many.update({point: 1 for point in whole})
        anew = self.run(judge_parts, tasks(again, told=True) + tasks(whole, told=False))
        redone = whole | set(again)
        done = [row for row in done if row["what"] not in redone] + anew
        shutil.rmtree(aside, ignore_errors=True)
        self.clear(out, found, {row["out"] for row in done})
        return done

    def task(self, point, folder, n, of, out, aside, told):
        if of == 1:
            return point, str(folder), None, None, [], f"{out}/{point}.parquet"
        tell = None if told else told_by(aside, point, n, of)
        all_told = [told_by(aside, point, k, of) for k in range(1, of + 1)] if told else []
        return point, str(folder), f"{n}/{of}", tell, all_told, f"{out}/{point}.{n}-of-{of}.parquet"

    def is_needed(self, point, of, aside):
        """Do the shares of a point know together what one does not?"""
        told = [path for path in (told_by(aside, point, n, of) for n in range(1, of + 1)) if os.path.exists(path)]
        arguments = [argument for path in told for argument in ("--told", path)]
        return bool(told) and subprocess.run([self.binary, "judge", *arguments]).returncode == 1

    def clear(self, out, found, kept):
        """Removes what an earlier run with other shares has left of the same points."""
        for path in Path(out).glob("*.parquet"):
            point = path.name.removesuffix(".parquet")
            stem, _, share = point.rpartition(".")
            is_ours = point in found or stem in found and "-of-" in share
            if is_ours and str(path) not in kept:
                path.unlink()


def told_by(aside, point, n, of):
    return f"{aside}/{point}.{n}-of-{of}.json"


def wanted(folder):
    octets = sum(path.stat().st_size for path in parts(folder))
    return max(1, min(MOST_SHARES, -(-octets // SHARE)))


def main(arguments):
    own, more = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        own, more = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["points", "parts", "verdicts"])
    parser.add_argument("source", metavar="DAY|PARTS")
    parser.add_argument("out", metavar="PARTS|VERDICTS")
    parser.add_argument("--closewait", default=shutil.which("closewait"), help="the binary, built with --features fleet")
    parser.add_argument("--shards", type=int, default=0, help="shares of each point [default: by the size of its parts]")
    parser.add_argument("--master", help="as spark-submit has it; for a run without spark-submit: local[2,4]")
    asked = parser.parse_args(own)
    if not asked.closewait:
        parser.error("no closewait in PATH: --closewait FILE")

    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(f"closewait {asked.step}").config("spark.ui.enabled", "false")
    spark = (builder.master(asked.master) if asked.master else builder).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    job = Job(spark, os.path.abspath(asked.closewait), more)
    source, out = os.path.abspath(asked.source), os.path.abspath(asked.out)
    match asked.step:
        case "points":
            done = job.points(source, out)
        case "parts":
            done = job.parts(source, out)
        case _:
            done = job.verdicts(source, out, asked.shards)
    spark.stop()
    failed = [row for row in done if row["status"] == 2]
    for row in failed:
        print(f"{row['what']}: not wholly read:", *row["lines"], sep="\n  ", file=sys.stderr)
    for says in sorted({line for row in done for line in row.get("says", [])})[:1]:
        print(says, file=sys.stderr)
    print(json.dumps({"tasks": len(done), "findings": sum(row["status"] == 1 for row in done), "failed": len(failed)}))
    return 2 if failed else 0 if done else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
