//! The frame of every page: its head, its policy, its style and its script.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The colour of the first sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Good,
    /// Neither: not everything could be told.
    Plain,
    Bad,
}

/// A whole page.
pub fn frame(title: &str, mood: Mood, top: &Markup, main: &Markup, made_by: &str) -> Markup {
    let mood = match mood {
        Mood::Good => "good",
        Mood::Plain => "plain",
        Mood::Bad => "bad",
    };
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
