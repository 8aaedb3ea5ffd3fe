//! Several sockets on one line: a list whose line ends were lost, or that was printed as a list of strings.

use super::words;

/// The most words of a record.
const MAX_WORDS: usize = 128;

/// The records of a line: it is split where a whole one ends and another begins.
pub fn records(line: &str, is_whole: impl Fn(&str) -> bool) -> Vec<&str> {
    let starts: Vec<usize> = starts(line).collect();
    let end = |n: usize| starts.get(n).copied().unwrap_or(line.len());
    // Each record has a state, or a slot.
    let marked = (0..starts.len()).filter(|n| is_marked(&line[starts[*n]..end(n + 1)]));
    if marked.take(2).count() < 2 {
        return vec![line];
    }
    let (mut records, mut first) = (Vec::new(), 0);
    for n in 1..starts.len() {
        if n - first > MAX_WORDS {
            break;
        }
        if !may_begin(&line[starts[n]..end(n + 1)], &line[end(n + 7)..end(n + 8)]) {
            continue;
        }
        let before = unquoted(&line[starts[first]..starts[n]]);
        if is_whole(before) && is_whole(unquoted(&line[starts[n]..end(n + MAX_WORDS)])) {
            records.push(before);
            first = n;
        }
    }
    match records.is_empty() {
        true => vec![line],
        false => [records, vec![unquoted(&line[starts[first]..])]].concat(),
    }
}

/// The places of words.
fn starts(line: &str) -> impl Iterator<Item = usize> {
    let mut is_within = false;
    line.char_indices().filter_map(move |(at, c)| {
        let is_start = !c.is_whitespace() && !is_within;
        is_within = !c.is_whitespace();
        is_start.then_some(at)
    })
}

/// May a record begin with this word? Of lsof, the eighth column tells.
fn may_begin(word: &str, eighth: &str) -> bool {
    words::is_tcp(unquoted(word)) || eighth.trim_end() == "TCP" || is_marked(word)
}

/// A state, or a slot of `/proc/net/tcp`.
fn is_marked(word: &str) -> bool {
    let word = unquoted(word).trim_matches(['(', ')']);
    let is_slot = || word.strip_suffix(':').is_some_and(|slot| slot.parse::<u64>().is_ok());
    words::state(word).is_some() || is_slot()
}

/// A record without the marks of a list around it.
fn unquoted(record: &str) -> &str {
    let is_mark = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ',' | ';');
    let record = record.trim_matches(is_mark);
    let record = record.strip_suffix("']").or_else(|| record.strip_suffix("\"]")).unwrap_or(record);
    record.strip_prefix("['").or_else(|| record.strip_prefix("[\"")).unwrap_or(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_where_a_whole_record_begins() {
        let is_whole = |record: &str| record.starts_with("tcp") && record.contains("CLOSE_WAIT");
        let one = "tcp 1 0 a:1 b:2 CLOSE_WAIT 7/x";
        for line in [
            format!("{one} {one}"),
            format!("['{one}', '{one}']"),
            format!("[\"{one}\", \"{one}\"]"),
        ] {
            assert_eq!(records(&line, is_whole), [one, one], "{line}");
        }
        for line in [one, "", "tcp", "tcp tcp tcp", "tcp CLOSE_WAIT tcp", "['x']"] {
            assert_eq!(records(line, is_whole), [line]);
        }
    }
}
