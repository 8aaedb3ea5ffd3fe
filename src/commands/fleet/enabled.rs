//! Parts are written and judged.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FactsCommand, JudgeCommand};
use crate::capture::file::Input;
use crate::capture::stop::Stop;
use crate::commands::format::{Format, renderer};
use crate::commands::output::Outputs;
use crate::commands::signals::stop_at_signals;
use crate::commands::terminal::{Said, Terminal, ended};
use crate::commands::{Exit, can_be_one_run, complain, open, place};
use crate::fleet::facts::{FactsPlan, facts as make};
use crate::fleet::judge::{JudgePlan, Judged, judge as judge_parts};
use crate::fleet::keyed::{Key, Shard};
use crate::fleet::told::Told;
use crate::printable::printable;
use crate::run::share::Share;

/// Makes a part of a capture.
pub fn facts(asked: FactsCommand) -> Exit {
    match make_part(asked) {
        Ok(exit) => exit,
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}

fn make_part(asked: FactsCommand) -> Result<Exit, String> {
    let FactsCommand { input, output, contents, key, vxlan } = asked;
    let stop = Stop::default();
    stop_at_signals(&stop)?;
    let mut outputs = Outputs::beside([input.0.as_path()]);
    let (file, placing) = outputs.create(&output, "-o")?;
    complain(&leaves(&output, contents));
    let plan = FactsPlan { input, contents, key: Key(key), vxlan, stop: Arc::clone(&stop) };
    let mut terminal = Terminal::new(io::stderr().is_terminal());
    let made = make(&plan, file, &mut terminal).map_err(|failed| failed.to_string())?;
    if stop.load(std::sync::atomic::Ordering::Relaxed) {
        return Err("interrupted: no part was written".into());
    }
    place([placing]).map_err(|error| format!("the part could not be written: {error}"))?;
    Ok(if made.failed { Exit::Failed } else { Exit::Clean })
}

/// Says what leaves the host, in a sentence, before anything else is said.
fn leaves(output: &Path, contents: bool) -> String {
    let output = printable(&output.to_string_lossy());
    let headers = "the addresses, ports, flags, numbers, lengths and times of every TCP segment, and processes where the capture names them";
    match contents {
        false => format!("{output} holds {headers}; no payload"),
        true => format!(
            "{output} holds {headers}, and all payload that was captured: statements with their values, whatever was said"
        ),
    }
}

/// Judges parts, or a share of their connections.
pub fn judge(asked: JudgeCommand) -> Exit {
    match judge_all(asked) {
        Ok(exit) => exit,
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}

fn judge_all(asked: JudgeCommand) -> Result<Exit, String> {
    let shard = match asked.shard.as_deref().map(str::parse::<Shard>).transpose()? {
        Some(shard) if asked.tell.is_none() && asked.told.is_empty() && !shard.is_all() => {
            return Err(format!(
                "--shard {shard}: what it knows bears on connections of other shares: name a file for it, --tell told-{}.json",
                shard.to_string().replace('/', "-of-")
            ));
        }
        shard => shard.unwrap_or(Shard::ALL),
    };
    if let Format::Html = asked.format {
        return Err("--format html: a page shows packets, which parts have not: closewait report, on the captures".into());
    }
    let told = told(&asked.told)?;
    if asked.parts.is_empty() {
        let share = told.ok_or("no parts to judge: name a folder of them")?;
        return Ok(if share.matters() { Exit::Found } else { Exit::Clean });
    }
    let inputs = parts(&asked.parts)?;
    can_be_one_run(inputs.len(), "judge a day's parts at once, or make fewer of larger files")?;
    let mut plan = asked.plan;
    let mut outputs = Outputs::beside(inputs.iter().chain(&asked.told).map(PathBuf::as_path));
    plan.inputs = inputs.into_iter().map(Input).collect();
    let gone = Stop::default();
    let color = asked.format.color(asked.color);
    let (out, placing) = open(asked.output.as_deref(), color, &mut outputs, &gone)?.output();
    let tell = asked.tell.map(|path| outputs.create(&path, "--tell")).transpose()?;
    let mut sink = renderer(asked.format, out, asked.look);
    let said = Said::by(asked.format, asked.output.is_none());
    let mut terminal = Terminal::new(io::stderr().is_terminal()).beside(said);
    let judged = match judge_parts(JudgePlan { plan, shard, told }, sink.as_mut(), &mut terminal) {
        Ok(judged) => judged,
        Err(error) => return Ok(ended(Err(error), terminal)),
    };
    drop(sink);
    let Judged { outcome, tells, without_contents } = judged;
    let written = match tell {
        Some((mut file, placing)) if outcome.read_any => {
            let told = Told::new(shard.to_string(), &tells);
            serde_json::to_writer(&mut file, &told)
                .map_err(io::Error::from)
                .and_then(|()| file.write_all(b"\n"))
                .and_then(|()| place([placing]))
        }
        _ => Ok(()),
    };
    let written = written.and_then(|()| if outcome.read_any { place(placing) } else { Ok(()) });
    if without_contents[0] > 0 && outcome.read_any {
        complain(&without_contents_text(without_contents));
    }
    Ok(ended(written.map(|()| outcome), terminal))
}

fn without_contents_text([without, all]: [usize; 2]) -> String {
    let which =
        if without == all { "the parts".into() } else { format!("{without} of {all} parts") };
    format!("contents were not read: {which} have headers alone, so causes come from packets")
}

/// Reads what all shares have told, added up.
fn told(paths: &[PathBuf]) -> Result<Option<Share>, String> {
    let mut all = None;
    for path in paths {
        let name = printable(&path.to_string_lossy());
        let octets = std::fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        let told: Told = serde_json::from_slice(&octets)
            .map_err(|error| format!("{name}: is no file of --tell: {error}"))?;
        let share = told.share().ok_or_else(|| format!("{name}: is of another closewait"))?;
        all.get_or_insert_with(Share::default).add(share);
    }
    Ok(all)
}

/// The parts that are named, and those in folders, by their names.
fn parts(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let name = printable(&path.to_string_lossy());
        let entries = path.read_dir().map_err(|error| format!("{name}: {error}"))?;
        let found = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found: Vec<PathBuf> = found.filter(|path| is_part(path)).collect();
        if found.is_empty() {
            return Err(format!("{name}: no part is in it (closewait facts FILE -o PART.parquet)"));
        }
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

/// Names that begin with a dot are of parts that are being written.
fn is_part(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !is_hidden && path.extension().is_some_and(|extension| extension == "parquet")
}
