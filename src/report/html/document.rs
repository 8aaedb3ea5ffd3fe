//! The page: its frame, and its parts in the order in which an incident is told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::ladder::Strip;
use super::{answer, capture, closes, findings, flames, groups, holds, idle, ladder, states};
use crate::report::stacks::Stacks;
use crate::report::text::report::Report;
use crate::summary::groups::Group;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// All that is written.
pub struct Document<'a> {
    pub report: Report<'a>,
    pub groups: Vec<Group<'a>>,
    pub stacks: &'a Stacks,
    pub strips: &'a [Strip],
    pub made_by: &'a str,
}

/// A part of the page, if there is anything to be said in it.
type Part = (&'static str, &'static str, Option<Markup>);

impl Document<'_> {
    fn parts(&self) -> Vec<Part> {
        vec![
            ("states", "Sockets by state over time", states::part(self)),
            ("holds", "In and out of CLOSE-WAIT", holds::part(self)),
            ("groups", "The findings in groups", groups::part(self)),
            ("idle", "Idle before the FIN", idle::part(self)),
            ("close-wait", "How long CLOSE-WAIT lasted", closes::lasted(self)),
            ("closed-first", "Who closed first", closes::first(self)),
            ("packets", "Packet by packet", ladder::part(self)),
            ("flames", "What was said: left, and closed", flames::part(self)),
            ("findings", "The findings one by one", findings::part(self)),
            ("before", "Stuck before the capture", findings::before(self)),
            ("capture", "The capture, its limits and doubts", Some(capture::part(self))),
        ]
    }

    pub fn html(&self) -> Markup {
        let parts = self.parts();
        let parts =
            || parts.iter().filter_map(|(id, title, part)| Some((id, title, part.as_ref()?)));
        let mood = if self.report.totals.findings() > 0 { Mood::Bad } else { Mood::Good };
        let top = html! {
            (answer::part(self))
            nav aria-label="Parts of this page" {
                ul { @for (id, title, _) in parts() { li { a href={ "#" (id) } { (title) } } } }
            }
        };
        let main = html! {
            @for (id, title, part) in parts() {
                section id=(id) aria-labelledby={ (id) "-title" } {
                    h2 id={ (id) "-title" } { (title) }
                    (part)
                }
            }
        };
        frame(&answer::title(self), mood, &top, &main, self.made_by)
    }
}

/// The colour of the first sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Good,
    Bad,
}

/// A whole page.
pub fn frame(title: &str, mood: Mood, top: &Markup, main: &Markup, made_by: &str) -> Markup {
    let mood = if mood == Mood::Bad { "bad" } else { "good" };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { "closewait: " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body class=(mood) {
                header {
                    h1 { "closewait" }
                    (top)
                }
                main { (main) }
                footer {
                    p { "Made by" }
                    pre { (made_by) }
                    p {
                        "closewait " (env!("CARGO_PKG_VERSION"))
                        ". The page holds all it shows, and asks nothing of the net."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// No request at all; of styles and scripts, only those that stand here.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
