//! Messages of servers without the values that they repeat.

/// The message with `?` in place of what stands between quotes of any kind.
///
/// Values can hold quotes: from the first quote of a kind to its last, nothing is shown. An apostrophe
/// within a word is none.
pub fn without_values(message: &str) -> String {
    let quotes = ['\'', '"', '`'];
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let opens = |at: usize| !is_letter(message[..at].chars().next_back());
    let closes = |at: usize| !is_letter(message[at + 1..].chars().next());
    let mut found = message.match_indices(quotes).map(|(at, _)| at).filter(|at| opens(*at));
    let Some(start) = found.next() else { return message.into() };
    let quote = &message[start..=start];
    let end =
        message.rmatch_indices(quotes).map(|(at, _)| at).find(|at| *at > start && closes(*at));
    let after = end.map_or("", |end| &message[end + 1..]);
    format!("{}{quote}?{quote}{after}", &message[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_values_are_hidden_and_apostrophes_are_none() {
        for (message, expected) in [
            ("relation \"nope\" does not exist", "relation \"?\" does not exist"),
            ("invalid input: \"a\"b\", it's \"c\"", "invalid input: \"?\""),
            ("Table 'app.nope' doesn't exist", "Table '?' doesn't exist"),
            ("cut off \"in a val", "cut off \"?\""),
            ("can't connect", "can't connect"),
            (
                "terminating connection due to idle-session timeout",
                "terminating connection due to idle-session timeout",
            ),
        ] {
            assert_eq!(without_values(message), expected);
        }
    }
}
