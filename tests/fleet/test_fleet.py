"""The fleet's job on Spark, and the questions on three engines, against answers that are known.

Run by `make test-fleet`: CLOSEWAIT names the binary. Plain unittest: nothing more has to be installed.
"""

import datetime
import glob
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
FLEET = PROJECT / ".dist" / "fleet"
CLOSEWAIT = os.environ["CLOSEWAIT"]
# Two at a time, and each is tried four times.
MASTER = "local[2,4]"
# Who is local is said: the captures cannot know it.
LOCAL = ["--local", "172.18.0.5", "--local", "172.18.0.6"]


def job(*arguments, closewait=CLOSEWAIT, more=(), status=0):
    command = [sys.executable, FLEET / "closewait_fleet.py", *arguments, "--closewait", closewait, "--master", MASTER]
    run = subprocess.run([*map(str, command), "--", *more], capture_output=True, text=True)
    assert run.returncode == status, f"{arguments}: {run.returncode}\n{run.stderr[-3000:]}"
    return json.loads(run.stdout.splitlines()[-1]), run.stderr


def lines(files, *more):
    """The rows of one pass."""
    run = subprocess.run([CLOSEWAIT, "--all", "--format", "jsonl", *more, *map(str, files)], capture_output=True, text=True)
    assert run.returncode in (0, 1), run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def questions(engine):
    """The statements of a page of questions, by their names."""
    found, name = {}, None
    for line in (FLEET / f"{engine}.sql").read_text().splitlines():
        begun = re.match(r"-- ([a-z_]+): ", line)
        if begun:
            name = begun[1]
        elif not line.startswith("--") and line.strip():
            found[name] = found.get(name, "") + line + "\n"
    return {name: statement.strip().removesuffix(";") for name, statement in found.items()}


def plain(value):
    """A value as every engine has it."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return value


class Fleet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fleet-"))
        subprocess.run([sys.executable, HERE / "hosts.py", cls.folder], check=True)
        for day in ("day-1", "day-2"):
            job("points", cls.folder / day, cls.folder / "verdicts" / day, more=["--all", *LOCAL])

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def table(self, pattern):
        import duckdb

        columns = "uid, verdict, finding, doubts, notes, a_ip, a_port, a_isn, b_ip, b_port, b_isn, held_s, idle_before_fin_s, fin_at"
        return duckdb.sql(f"SELECT {columns} FROM '{self.folder}/{pattern}' ORDER BY uid, fin_at").fetchall()

    def test_a_task_a_point_says_what_one_pass_says(self):
        """D."""
        for point in ("app-1-eth0", "app-2-eth0", "db-1-eth0"):
            files = sorted(glob.glob(f"{self.folder}/day-2/point={point}/*.pcap"))
            flows = [line for line in lines(files, *LOCAL) if line["type"] == "flow"]
            wanted = sorted((f["uid"], f["verdict"], f["finding"]) for f in flows)
            rows = self.table(f"verdicts/day-2/{point}.parquet")
            self.assertEqual(sorted(row[:3] for row in rows), wanted)

    def test_tasks_by_file_and_by_share_say_the_same(self):
        """A, whole and in shares; an earlier run's shares are cleared away."""
        parts, out = self.folder / "parts", self.folder / "by-parts"
        made, says = job("parts", self.folder / "day-2", parts)
        self.assertEqual(made["tasks"], len(list((self.folder / "day-2").glob("*/*.pcap"))))
        self.assertIn("no payload", says)
        for shards in (3, 1):
            job("verdicts", parts, out, "--shards", shards, more=["--all", *LOCAL])
            for point in ("app-1-eth0", "app-2-eth0", "db-1-eth0"):
                of = len(list(out.glob(f"{point}*.parquet")))
                self.assertEqual(of, shards)
                rows = self.table(f"by-parts/{point}*.parquet")
                self.assertEqual(rows, self.table(f"verdicts/day-2/{point}.parquet"))

    def test_rotated_files_of_the_reproduction(self):
        day = self.folder / "reproduction"
        point = day / "point=app-eth0"
        point.mkdir(parents=True)
        for file in (PROJECT / "fixtures/captures/reproduction/rotated").glob("*.pcap"):
            shutil.copy(file, point)
        job("points", day, self.folder / "r-points", more=["--all", "--no-content"])
        job("parts", day, self.folder / "r-parts")
        job("verdicts", self.folder / "r-parts", self.folder / "r-verdicts", more=["--all"])
        rows = self.table("r-verdicts/*.parquet")
        self.assertEqual(rows, self.table("r-points/*.parquet"))
        self.assertEqual(len(rows), len([line for line in lines(point.glob("*.pcap")) if line["type"] == "flow"]))

    def test_a_task_that_is_killed_is_tried_again_and_leaves_one_result(self):
        mark, wrapper = self.folder / "killed", self.folder / "closewait-killed-once"
        # The first that starts is killed while it writes.
        wrapper.write_text(
            f'#!/bin/sh\nif mkdir "{mark}" 2>/dev/null; then\n  "{CLOSEWAIT}" "$@" & sleep 0.02; kill -9 $!; kill -9 $$\nfi\nexec "{CLOSEWAIT}" "$@"\n'
        )
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        out = self.folder / "tried-again"
        job("points", self.folder / "day-2", out, closewait=wrapper, more=["--all", *LOCAL])
        self.assertTrue(mark.exists(), "nothing was killed")
        self.assertEqual(len([path for path in out.iterdir() if not path.name.startswith(".")]), 3)
        for point in ("app-1-eth0", "app-2-eth0", "db-1-eth0"):
            rows = self.table(f"tried-again/{point}.parquet")
            self.assertEqual(rows, self.table(f"verdicts/day-2/{point}.parquet"))

    def test_a_damaged_capture_is_said_and_the_others_are_judged(self):
        day = self.folder / "damaged"
        shutil.copytree(self.folder / "day-2" / "point=db-1-eth0", day / "point=db-1-eth0")
        bad = day / "point=app-9-eth0"
        bad.mkdir()
        (bad / "cap.pcap").write_bytes(b"no capture")
        done, said = job("points", day, self.folder / "of-damaged", status=2)
        self.assertEqual((done["tasks"], done["failed"]), (2, 1))
        self.assertIn("app-9-eth0: not wholly read", said)
        self.assertTrue((self.folder / "of-damaged" / "db-1-eth0.parquet").exists())

    def check(self, ask):
        """What every engine has to answer."""
        peer = ("172.18.0.3", 3306)
        # What db-1 has seen, too, counts once.
        minutes = ask("same_minute")
        self.assertEqual({tuple(row[1:3]) for row in minutes}, {peer})
        minute, _, _, hosts, leaks, idle, spread, opened, last, cause, statement = minutes[0]
        self.assertEqual((minute[:16], hosts, leaks), ("2026-11-27 04:00", 2, 120))
        self.assertEqual((idle, statement or None), (60.0, None))
        self.assertLess(spread, 0.005)
        self.assertEqual((opened[:19], last[:17]), ("2026-11-27 03:59:20", "2026-11-27 03:59:"))
        new = ask("new_causes")
        # The connection to Redis leaked the day before, too.
        self.assertEqual({tuple(row[:2]) for row in new}, {peer})
        self.assertEqual([tuple(row[4:]) for row in new], [(120, 2)])
        slow = ask("slow_closers")
        self.assertEqual([tuple(row[:3]) for row in slow], [("172.18.0.3", 3306, 16)])
        self.assertEqual(slow[0][3:], (2.0, 2.0))
        both = ask("both_points")
        seen = [(row[0], row[1]) for row in both]
        self.assertEqual(seen.count((2, "app-1-eth0 db-1-eth0")), 30)
        self.assertEqual(seen.count((1, "app-1-eth0")), 30 + 2)
        self.assertEqual(seen.count((1, "app-2-eth0")), 60)
        self.assertEqual(len(seen), 122)
        self.assertEqual({row[3] for row in both}, {"172.18.0.5", "172.18.0.6"})

    def test_questions_to_duckdb(self):
        import duckdb

        base = duckdb.connect()
        base.sql("SET TimeZone = 'UTC'")
        base.sql(f"CREATE VIEW verdicts AS SELECT * FROM '{self.folder}/verdicts/**/*.parquet'")
        pages = questions("duckdb")
        self.check(lambda name: [tuple(map(plain, row)) for row in base.sql(pages[name]).fetchall()])

    def test_questions_to_clickhouse(self):
        from chdb import session

        base = session.Session()
        base.query("CREATE DATABASE fleet")
        base.query(f"CREATE VIEW fleet.verdicts AS SELECT * FROM file('{self.folder}/verdicts/*/*.parquet', Parquet)")
        pages = questions("clickhouse")

        def ask(name):
            answer = base.query("USE fleet; " + pages[name], "JSONCompactEachRow")
            return [tuple(json.loads(line)) for line in str(answer).splitlines()]

        self.check(ask)

    def test_questions_to_spark(self):
        from pyspark.sql import SparkSession

        spark = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate()
        )
        spark.sparkContext.setLogLevel("ERROR")
        verdicts = spark.read.option("recursiveFileLookup", "true").parquet(f"{self.folder}/verdicts")
        verdicts.createOrReplaceTempView("verdicts")
        pages = questions("spark")

        def ask(name):
            # As text: Python's times have no zone of their own.
            rows = spark.sql(pages[name])
            typed = [f"CAST({c} AS STRING) AS {c}" if t == "timestamp" else c for c, t in rows.dtypes]
            return [tuple(row) for row in rows.selectExpr(*typed).collect()]

        self.check(ask)
        spark.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
