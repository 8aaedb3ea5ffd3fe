//! Marks of a quotation, of Markdown and of other languages around the words of a line.

/// A line without the marks of a quotation, and those of Markdown for code and emphasis.
pub fn bare(line: &str) -> String {
    let line = line.trim_start_matches([' ', '\t', '>']);
    let line = line.replace('→', "->").replace('：', ":").replace('`', " ");
    // Markdown may have escaped `CLOSE\_WAIT`; in JSON, a backslash escapes another.
    match line.contains(r"\\") {
        true => unstressed(&line),
        false => unstressed(&line.replace(r"\_", "_")),
    }
}

/// `**CLOSE_WAIT**` without its marks, and not `**.**.**.**`, which somebody put in place of an address.
fn unstressed(line: &str) -> String {
    if !line.contains("**") {
        return line.to_owned();
    }
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '(' | ')' | '[' | ']');
    let bare = |word: &str| {
        let word = word.strip_prefix("**").filter(|rest| rest.starts_with(is_word)).unwrap_or(word);
        word.strip_suffix("**").filter(|rest| rest.ends_with(is_word)).unwrap_or(word).to_owned()
    };
    line.split(' ').map(bare).collect::<Vec<_>>().join(" ")
}
