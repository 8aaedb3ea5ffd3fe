-- Questions to the verdicts of a fleet, for ClickHouse: a statement a question. As in duckdb.sql.
--   CREATE VIEW verdicts AS SELECT * FROM file('verdicts/*.parquet', Parquet);

-- same_minute: which peers closed on several hosts in the same minute, after which idle time?
SELECT toStartOfMinute(fin_at) AS minute, peer_ip, peer_port,
       uniqExact(holder_ip) AS hosts, uniqExact(coalesce(toString(a_isn + b_isn), uid)) AS leaks,
       round(quantileExactInclusive(0.5)(idle_before_fin_s), 2) AS idle_s,
       round(quantileExactInclusive(0.9)(idle_before_fin_s) - quantileExactInclusive(0.1)(idle_before_fin_s), 3) AS idle_spread_s,
       min(first_at) AS first_opened, max(first_at) AS last_opened,
       topK(1)(cause)[1] AS top_cause, topK(1)(statement_digest)[1] AS statement
FROM verdicts WHERE finding
GROUP BY minute, peer_ip, peer_port HAVING hosts > 1 ORDER BY leaks DESC, minute;

-- new_causes: what leaks on the last day that leaked on no day before?
WITH (SELECT max(toDate(fin_at)) FROM verdicts WHERE finding) AS today
SELECT peer_ip, peer_port, cause, statement_digest,
       uniqExact(coalesce(toString(a_isn + b_isn), uid)) AS leaks, uniqExact(holder_ip) AS hosts
FROM verdicts WHERE finding AND toDate(fin_at) = today
 AND (peer_ip, peer_port, ifNull(cause, ''), ifNull(statement_digest, '')) NOT IN
     (SELECT peer_ip, peer_port, ifNull(cause, ''), ifNull(statement_digest, '')
      FROM verdicts WHERE finding AND toDate(fin_at) < today)
GROUP BY peer_ip, peer_port, cause, statement_digest ORDER BY leaks DESC, peer_ip, peer_port;

-- slow_closers: which services' connections were in CLOSE-WAIT for a second or more, and closed after all?
SELECT service_ip, service_port, count() AS closes,
       round(quantileExactInclusive(0.5)(held_s), 1) AS median_s, round(max(held_s), 1) AS longest_s
FROM verdicts WHERE close = 'closed' AND held_s >= 1
GROUP BY service_ip, service_port ORDER BY longest_s DESC, service_ip, service_port;

-- both_points: which findings did several points see, and which only one?
SELECT uniqExact(point) AS points, arrayStringConcat(arraySort(groupUniqArray(point)), ' ') AS seen_by,
       arrayStringConcat(arraySort(groupUniqArray(verdict)), ' ') AS all_verdicts,
       min(holder_ip) AS by_ip, min(holder_port) AS by_port, min(fin_at) AS closed_at
FROM verdicts WHERE a_isn IS NOT NULL AND b_isn IS NOT NULL
GROUP BY least(a_isn, b_isn), greatest(a_isn, b_isn) HAVING max(finding)
ORDER BY points DESC, by_ip, by_port;
