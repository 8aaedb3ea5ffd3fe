//! Messages of servers without the values that they repeat.

/// Quotes of the languages that servers speak, each with what ends it.
const QUOTES: &[(char, char)] = &[
    ('\'', '\''),
    ('"', '"'),
    ('`', '`'),
    ('«', '»'),
    ('»', '«'),
    ('‹', '›'),
    ('›', '‹'),
    ('„', '“'),
    ('“', '”'),
    ('”', '”'),
    ('‚', '‘'),
    ('‘', '’'),
    ('’', '’'),
    ('「', '」'),
    ('『', '』'),
];

/// The message with `?` in place of what stands between quotes of any kind.
///
/// Values can hold quotes: from the first quote to the last that can be its end, nothing is shown, nor what follows
/// one that has no end. An apostrophe within a word is none.
pub fn without_values(message: &str) -> String {
    let Some((start, open, close)) = first_quote(message) else { return message.into() };
    let value = &message[start + open.len_utf8()..];
    // Of the plain ones, each may end what another one begins.
    let ends = |c: char| c == close || open.is_ascii() && matches!(c, '\'' | '"' | '`');
    let after = value.rmatch_indices(ends).find(|(at, _)| can_end(value, *at));
    let after = after.map_or("", |(at, end)| &value[at + end.len()..]);
    let (behind, hidden) = match first_quote(after) {
        Some((at, open, close)) => (&after[..at], format!("{open}?{close}")),
        None => (after, String::new()),
    };
    format!("{}{open}?{close}{behind}{hidden}", &message[..start])
}

/// The place of the first quote, and what ends it.
fn first_quote(text: &str) -> Option<(usize, char, char)> {
    text.char_indices().find_map(|(at, c)| {
        let (open, close) = QUOTES.iter().find(|(open, _)| *open == c)?;
        let is_apostrophe = matches!(c, '\'' | '’') && is_in_word(text[..at].chars().next_back());
        (!is_apostrophe).then_some((at, *open, *close))
    })
}

/// Can the quote be an end? A plain one before a word, or behind what goes before values, begins another one.
fn can_end(value: &str, at: usize) -> bool {
    let mut from = value[at..].chars();
    let is_plain = from.next().is_some_and(|quote| quote.is_ascii());
    let before = value[..at].chars().next_back();
    let goes_before = |c: char| c.is_whitespace() || "(:=,".contains(c);
    !is_plain || !is_in_word(from.next()) && !before.is_some_and(goes_before)
}

/// Is it a letter or a digit of a script that has blanks between words? Others put quotes right beside their letters.
fn is_in_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() && c < '\u{2e80}')
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
            ("value for \"x\": \"hunter", "value for \"?\": \"?\""),
            ("'x' can't be set to the value of '-hunter", "'?' can't be set to the value of '?'"),
            ("Incorrect value: 'a' for 'hu", "Incorrect value: '?' for '?'"),
            ("Typ integer: »hunter2«", "Typ integer: »?«"),
            ("l'entrée : « hunter2 » est", "l'entrée : «?» est"),
            ("paramètre « x » : « hunter", "paramètre «?» : «?»"),
            ("値\"hunter2\"は型integer", "値\"?\"は型integer"),
            ("\"x\" のキー「hunter」", "\"?\" のキー「?」"),
            ("near \"(\"", "near \"?\""),
            (
                "terminating connection due to idle-session timeout",
                "terminating connection due to idle-session timeout",
            ),
        ] {
            assert_eq!(without_values(message), expected);
        }
    }
}
