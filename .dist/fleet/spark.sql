-- Questions to the verdicts of a fleet, for Spark SQL: a statement a question. As in duckdb.sql.
--   spark.read.parquet("verdicts").createOrReplaceTempView("verdicts"), with spark.sql.session.timeZone UTC

-- same_minute: which peers closed on several hosts in the same minute, after which idle time?
SELECT date_trunc('minute', fin_at) AS minute, peer_ip, peer_port,
       count(DISTINCT holder_ip) AS hosts,
       count(DISTINCT coalesce(CAST(a_isn + b_isn AS STRING), uid)) AS leaks,
       round(percentile(idle_before_fin_s, 0.5), 2) AS idle_s,
       round(percentile(idle_before_fin_s, 0.9) - percentile(idle_before_fin_s, 0.1), 3) AS idle_spread_s,
       min(first_at) AS first_opened, max(first_at) AS last_opened,
       mode(cause) AS cause, mode(statement_digest) AS statement
FROM verdicts WHERE finding
GROUP BY minute, peer_ip, peer_port HAVING hosts > 1 ORDER BY leaks DESC, minute;

-- new_causes: what leaks on the last day that leaked on no day before?
WITH leaks AS (SELECT *, to_date(fin_at) AS day FROM verdicts WHERE finding),
     today AS (SELECT * FROM leaks WHERE day = (SELECT max(day) FROM leaks)),
     before AS (SELECT DISTINCT peer_ip, peer_port, cause, statement_digest
                FROM leaks WHERE day < (SELECT max(day) FROM leaks))
SELECT t.peer_ip, t.peer_port, t.cause, t.statement_digest,
       count(DISTINCT coalesce(CAST(t.a_isn + t.b_isn AS STRING), t.uid)) AS leaks, count(DISTINCT t.holder_ip) AS hosts
FROM today t LEFT ANTI JOIN before b
  ON t.peer_ip = b.peer_ip AND t.peer_port = b.peer_port
 AND t.cause <=> b.cause AND t.statement_digest <=> b.statement_digest
GROUP BY t.peer_ip, t.peer_port, t.cause, t.statement_digest ORDER BY leaks DESC, peer_ip, peer_port;

-- slow_closers: which services' connections were in CLOSE-WAIT for a second or more, and closed after all?
SELECT service_ip, service_port, count(*) AS closes,
       round(percentile(held_s, 0.5), 1) AS median_s, round(max(held_s), 1) AS longest_s
FROM verdicts WHERE close = 'closed' AND held_s >= 1
GROUP BY service_ip, service_port ORDER BY longest_s DESC, service_ip, service_port;

-- both_points: which findings did several points see, and which only one?
SELECT count(DISTINCT point) AS points, concat_ws(' ', sort_array(collect_set(point))) AS seen_by,
       concat_ws(' ', sort_array(collect_set(verdict))) AS verdicts,
       min(holder_ip) AS by_ip, min(holder_port) AS by_port, min(fin_at) AS closed_at
FROM verdicts WHERE a_isn IS NOT NULL AND b_isn IS NOT NULL
GROUP BY least(a_isn, b_isn), greatest(a_isn, b_isn) HAVING bool_or(finding)
ORDER BY points DESC, by_ip, by_port;
