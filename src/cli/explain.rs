//! The flags of `closewait explain`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::nearest;
use super::shared::{FileArgs, JudgingArgs, LangArg, ReadingArgs};
use super::times::TimeArgs;
use crate::capture::file::Input;
use crate::commands::explain::{ExplainCommand, Which};
use crate::printable::printable;
use crate::report::ladder::LadderLook;
use crate::report::lang::Lang;
use crate::report::words::{is_word, names};
use crate::tcp::segment::Endpoint;

pub const EXAMPLES: &str = "\
Examples:
  closewait explain x.pcap             the finding that `next:` names
  closewait explain x.pcap --frame 17  the connection of frame 17 (as closewait
                                       and Wireshark count)
  closewait explain ring/*.pcap --frame part-2.pcap:17
  closewait explain x.pcap --flow 172.18.0.5:38822-172.18.0.3:3306
                                       the last connection between these ends;
                                       others are named
  closewait explain x.pcap --frame 17 -tttt  with dates and times in every line

  closewait explain brief  what a word of the report means, and what to do
  closewait explain brief --lang zh  the same in Chinese

Exit status:
  0  it is no finding    1  it is one
  2  error; or --local names neither of its ends, so it is not judged";

#[derive(Args)]
pub struct ExplainArgs {
    /// Captures to read, as for closewait FILE…; not standard input, since they are read several times
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// The connection of this frame, counted from 1 in its file: the first file, unless one is named
    #[arg(
        long,
        value_name = "[FILE:]N",
        conflicts_with = "flow",
        value_parser = frame
    )]
    frame: Option<Which>,

    /// The last connection between these ends, in either order: A:PORT-B:PORT
    #[arg(long, value_name = "A:P-B:Q", value_parser = flow)]
    flow: Option<Which>,

    /// Every packet; without it, only the first and the last of many that begin and end nothing
    #[arg(long)]
    all: bool,

    /// Read every file as a capture of its own, even if it follows another
    #[arg(long)]
    separate: bool,

    /// A saved list of the host's sockets, as for closewait FILE…: names the process, and knows what
    /// packets leave in doubt
    #[arg(long, value_name = "FILE")]
    sockets: Option<PathBuf>,

    #[command(flatten)]
    judging: JudgingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    file: FileArgs,

    #[command(flatten)]
    times: TimeArgs,
}

/// The word to explain, if the command line asks for one and no file has its name, and in which language; a
/// sentence, if it can be neither a word nor a file.
pub fn word(args: &[OsString]) -> Option<Result<(String, Option<Lang>), String>> {
    let (command, word, lang) = match args {
        [_, command, word] => (command, word, None),
        [_, command, word, flag, lang] | [_, command, flag, lang, word] if flag == "--lang" => {
            let lang = LangArg::from_str(lang.to_str()?, true).ok()?;
            (command, word, Some(Lang::from(lang)))
        }
        _ => return None,
    };
    let word = word.to_str().filter(|_| command == "explain")?;
    if Path::new(word).exists() || word.starts_with('-') {
        return None;
    }
    if is_word(word) {
        return Some(Ok((word.to_owned(), lang)));
    }
    // A name that looks like one of a file was meant to be one.
    (!word.contains(['.', '/', '*'])).then(|| Err(no_word(word)))
}

fn no_word(word: &str) -> String {
    let (word, names) = (printable(word), names().into_iter().map(String::from));
    let further = match nearest(&word, names) {
        Some(near) => format!("; did you mean: closewait explain {near}"),
        None => " (closewait help doubts, causes, verdicts)".into(),
    };
    format!("{word}: is neither a file nor a word of a report{further}")
}

fn frame(text: &str) -> Result<Which, String> {
    let (file, number) = match text.rsplit_once(':') {
        Some((file, number)) => (Some(file.to_owned()), number),
        None => (None, text),
    };
    match number.parse() {
        Ok(0) => Err("frames count from 1".into()),
        Ok(number) => Ok(Which::Frame { file, number }),
        Err(_) => Err("write a frame's number, or FILE:NUMBER".into()),
    }
}

fn flow(text: &str) -> Result<Which, String> {
    let end = |text: &str| text.trim().parse().ok().map(|end: std::net::SocketAddr| end.into());
    let ends: Option<(Endpoint, Endpoint)> =
        text.split_once('-').and_then(|(a, b)| end(a).zip(end(b)));
    let (a, b) = ends.ok_or("write 10.0.0.5:40000-10.0.0.3:3306, or [2001:db8::5]:40000-…")?;
    Ok(Which::Ends(a, b))
}

impl ExplainArgs {
    pub fn explain(self) -> Result<ExplainCommand, String> {
        Ok(ExplainCommand {
            inputs: self.files.into_iter().map(Input).collect(),
            which: self.frame.or(self.flow).unwrap_or(Which::FirstFinding),
            policy: self.judging.policy(Duration::ZERO),
            separate: self.separate,
            sockets: self.sockets,
            listed: None,
            reading: self.reading.reading(),
            max_flows: crate::table::MAX_FLOWS,
            look: LadderLook {
                zone: self.times.zone(),
                absolute: self.times.dates(),
                all: self.all,
                width: None,
            },
            color: self.file.color(),
            output: self.file.output(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_ends_as_they_are_written() {
        let frame = |text| frame(text).map(|which| format!("{which:?}"));
        assert!(frame("17").is_ok_and(|which| which.contains("None, number: 17")));
        assert!(frame("a:b.pcap:17").is_ok_and(|which| which.contains("\"a:b.pcap\"")));
        assert!(frame("0").is_err() && frame("x").is_err() && frame("x.pcap:").is_err());
        assert!(flow("10.0.0.5:1-10.0.0.3:3306").is_ok() && flow("[::1]:1-[::2]:2").is_ok());
        assert!(flow("10.0.0.5-10.0.0.3:3306").is_err() && flow("10.0.0.5:1").is_err());
    }
}
