//! One pass over captures beside parts of them, judged together or in shares.

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use closewait::capture::file::Input;
use closewait::capture::stop::Stop;
use closewait::fleet::facts::{FactsPlan, facts};
use closewait::fleet::judge::{JudgePlan, Judged, judge};
use closewait::fleet::keyed::{Key, Shard};
use closewait::report::jsonl::Jsonl;
use closewait::run::notices::Nobody;
use closewait::run::share::Share;
use closewait::run::{Plan, Reading, run};

/// The way in which captures are read and judged.
#[derive(Clone, Copy, Debug)]
pub struct How {
    pub all: bool,
    pub contents: bool,
    pub threads: usize,
    pub key: u64,
}

pub const ALL: How = How { all: true, contents: true, threads: 1, key: 0 };

fn plan(inputs: Vec<Input>, how: How) -> Plan {
    Plan {
        inputs,
        all: how.all,
        threads: NonZeroUsize::new(how.threads).expect("a thread"),
        reading: Reading { no_content: !how.contents, ..Reading::default() },
        ..Plan::default()
    }
}

fn inputs<P: AsRef<Path>>(paths: &[P]) -> Vec<Input> {
    paths.iter().map(|path| Input(path.as_ref().to_owned())).collect()
}

/// The lines of one pass over the files.
pub fn one_pass(files: &[String], how: How) -> String {
    let mut out = Vec::new();
    run(plan(inputs(files), how), &mut Jsonl::new(&mut out), &mut Nobody).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

/// Makes a part of each file.
pub fn parts(files: &[String], how: How, folder: &Path) -> Vec<PathBuf> {
    let part = |file: &String| {
        let name = Path::new(file).file_name().expect("a name").to_string_lossy().into_owned();
        let path = folder.join(name + ".parquet");
        let plan = FactsPlan {
            input: Input(file.into()),
            contents: how.contents,
            key: Key(how.key),
            vxlan: Vec::new(),
            stop: Stop::default(),
        };
        facts(&plan, File::create(&path).expect("a folder"), &mut Nobody).expect("a part");
        path
    };
    files.iter().map(part).collect()
}

/// The lines of one share, and what came of it.
pub fn share(parts: &[PathBuf], shard: Shard, told: Option<Share>, how: How) -> (String, Judged) {
    let mut out = Vec::new();
    let plan = JudgePlan { plan: plan(inputs(parts), how), shard, told };
    let judged = judge(plan, &mut Jsonl::new(&mut out), &mut Nobody).expect("memory");
    (String::from_utf8(out).expect("UTF-8"), judged)
}

/// The lines of the whole.
pub fn whole(parts: &[PathBuf], how: How) -> String {
    share(parts, Shard::ALL, None, how).0
}

/// The rows of all shares, as a job would put them together: judged again where they have to be. `None`
/// where they cannot be judged apart, as the run says.
pub fn shares(parts: &[PathBuf], of: u64, how: How) -> Option<(Vec<String>, u64)> {
    let shards = || (1..=of).map(|n| format!("{n}/{of}").parse().expect("a share"));
    let once: Vec<(String, Judged)> =
        shards().map(|shard| share(parts, shard, None, how)).collect();
    if once.iter().any(|(_, judged)| judged.outcome.failed) {
        return None;
    }
    let mut told = Share::default();
    once.iter().for_each(|(_, judged)| told.add(judged.tells.clone()));
    let lines: Vec<String> = match told.matters() {
        false => once.into_iter().map(|(lines, _)| lines).collect(),
        true => shards().map(|shard| share(parts, shard, Some(told.clone()), how).0).collect(),
    };
    let flows = lines.iter().map(|lines| summary(lines)["flows"].as_u64().expect("a number"));
    let flows = flows.sum();
    let mut rows: Vec<String> = lines.iter().flat_map(|lines| rows(lines)).collect();
    rows.sort();
    Some((rows, flows))
}

/// The lines of flows, sorted.
pub fn rows(lines: &str) -> Vec<String> {
    let is_row = |line: &&str| !line.contains(r#""type":"summary""#);
    let mut rows: Vec<String> = lines.lines().filter(is_row).map(str::to_owned).collect();
    rows.sort();
    rows
}

pub fn summary(lines: &str) -> serde_json::Value {
    serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON")
}

/// Says where two texts differ first.
pub fn difference(one: &[String], other: &[String]) -> String {
    let differ = one.iter().zip(other).find(|(one, other)| one != other);
    format!("{} and {} rows; {differ:?}", one.len(), other.len())
}
