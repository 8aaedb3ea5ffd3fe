-- Questions to the verdicts of a fleet, for DuckDB: a statement a question.
--   SET TimeZone = 'UTC';
--   CREATE VIEW verdicts AS SELECT * FROM 'verdicts/**/*.parquet';

-- same_minute: which peers closed on several hosts in the same minute, after which idle time?
-- One idle time, to milliseconds, is a timeout; opened within seconds on all hosts is a restart. A wide
-- spread is chance. A connection that two points saw counts once: both initial sequence numbers name it. Clocks of hosts differ: minutes compare, no order between hosts does.
SELECT date_trunc('minute', fin_at) AS minute, peer_ip, peer_port,
       count(DISTINCT holder_ip) AS hosts,
       count(DISTINCT coalesce(CAST(a_isn + b_isn AS VARCHAR), uid)) AS leaks,
       round(median(idle_before_fin_s), 2) AS idle_s,
       round(quantile_cont(idle_before_fin_s, 0.9) - quantile_cont(idle_before_fin_s, 0.1), 3) AS idle_spread_s,
       min(first_at) AS first_opened, max(first_at) AS last_opened,
       mode(cause) AS cause, mode(statement_digest) AS statement
FROM verdicts WHERE finding
GROUP BY ALL HAVING count(DISTINCT holder_ip) > 1 ORDER BY leaks DESC, minute;

-- new_causes: what leaks on the last day that leaked on no day before?
WITH leaks AS (SELECT *, CAST(fin_at AS DATE) AS day FROM verdicts WHERE finding)
SELECT peer_ip, peer_port, cause, statement_digest,
       count(DISTINCT coalesce(CAST(a_isn + b_isn AS VARCHAR), uid)) AS leaks, count(DISTINCT holder_ip) AS hosts
FROM leaks WHERE day = (SELECT max(day) FROM leaks)
 AND (peer_ip, peer_port, coalesce(cause, ''), coalesce(statement_digest, '')) NOT IN
     (SELECT (peer_ip, peer_port, coalesce(cause, ''), coalesce(statement_digest, ''))
      FROM leaks WHERE day < (SELECT max(day) FROM leaks))
GROUP BY ALL ORDER BY leaks DESC, peer_ip, peer_port;

-- slow_closers: which services' connections were in CLOSE-WAIT for a second or more, and closed after all?
-- (Verdicts made with --all.)
SELECT service_ip, service_port, count(*) AS closes,
       round(median(held_s), 1) AS held_s, round(max(held_s), 1) AS longest_s
FROM verdicts WHERE close = 'closed' AND held_s >= 1
GROUP BY ALL ORDER BY longest_s DESC, service_ip, service_port;

-- both_points: which findings did several points see, and which only one? By both initial sequence numbers:
-- addresses can be rewritten on the way. (Verdicts made with --all.)
WITH seen AS (SELECT *, least(a_isn, b_isn) AS isn_1, greatest(a_isn, b_isn) AS isn_2
              FROM verdicts WHERE a_isn IS NOT NULL AND b_isn IS NOT NULL)
SELECT count(DISTINCT point) AS points, string_agg(DISTINCT point, ' ' ORDER BY point) AS seen_by,
       string_agg(DISTINCT verdict, ' ' ORDER BY verdict) AS verdicts,
       min(holder_ip) AS holder_ip, min(holder_port) AS holder_port, min(fin_at) AS fin_at
FROM seen GROUP BY isn_1, isn_2 HAVING bool_or(finding)
ORDER BY points DESC, holder_ip, holder_port;
