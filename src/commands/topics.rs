//! `closewait help TOPIC`: pages of the manual, for a terminal.

use std::io;

use super::{Exit, prose, said};

/// A page of the manual, or a part of one, that has a name.
pub struct Topic {
    /// The word behind `closewait help`.
    pub name: &'static str,
    page: &'static str,
    /// The heading of the part that is meant.
    part: Option<&'static str>,
}

const VERDICTS: &str = include_str!("../manual/verdicts.md");

/// Every topic, in the order in which a reader meets them.
pub const ALL: [Topic; 5] = [
    Topic { name: "doubts", page: VERDICTS, part: Some("Doubts") },
    Topic { name: "causes", page: include_str!("../manual/causes.md"), part: None },
    Topic { name: "verdicts", page: VERDICTS, part: None },
    Topic { name: "capture", page: include_str!("../manual/capture.md"), part: None },
    Topic { name: "containers", page: include_str!("../manual/containers.md"), part: None },
];

/// Finds a topic; it may be named in the singular.
pub fn named(name: &str) -> Option<&'static Topic> {
    ALL.iter().find(|topic| topic.name == name || topic.name.strip_suffix('s') == Some(name))
}

/// Columns of prose: commands and what programs print keep their own width.
const COLUMNS: usize = 80;

/// Writes a topic to standard output.
pub fn explain(topic: &Topic) -> Exit {
    said(prose::write(&mut io::stdout().lock(), &topic.text(), COLUMNS))
}

impl Topic {
    /// The page, or its part with a title of its own.
    fn text(&self) -> String {
        let Some(part) = self.part else { return self.page.to_owned() };
        let heading = format!("{part}\n");
        let found = self.page.split("\n## ").find(|text| text.starts_with(&heading));
        format!("# {}", found.unwrap_or(self.page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::Word as _;
    use crate::verdict::Doubt;

    #[test]
    fn a_part_is_of_its_page() {
        let doubts = named("doubt").expect("a topic").text();
        assert!(doubts.starts_with("# Doubts\n") && !doubts.contains("\n## "), "{doubts}");
        assert!(Doubt::ALL.iter().all(|doubt| doubts.contains(doubt.name())), "{doubts}");
        assert!(named("").is_none() && named("cause").is_some());
    }

    #[test]
    fn prose_fits_a_terminal() {
        for topic in &ALL {
            let mut out = Vec::new();
            prose::write(&mut out, &topic.text(), COLUMNS).expect("memory");
            let text = String::from_utf8(out).expect("text");
            let wide = text
                .lines()
                .filter(|line| !line.starts_with("    "))
                .find(|line| textwrap::core::display_width(line) > COLUMNS);
            assert_eq!(wide, None, "{}", topic.name);
            assert!(text.lines().count() > 20, "{text}");
        }
    }
}
