//! What a cut can come between: every phenomenon is cut at all its packets, and some, by name, at each of them.

use std::path::Path;

use super::common::Scratch;
use super::common::files;
use super::common::scenario::Scenario;
use super::common::wire::MICROSECONDS;
use super::cut::Pieces;
use super::prng::Prng;
use super::{ALL, assert_same};

fn pieces(scenario: &Path) -> Pieces {
    let scenario = Scenario::read(scenario).expect("a scenario");
    let octets = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
    Pieces::of(&octets).expect("a capture")
}

/// Scenarios whose name has one of these in it.
const NAMED: &[&str] = &[
    "half-close",
    "rst",
    "syn",
    "fin-with-data",
    "reuse",
    "late",
    "retire",
    "wrap",
    "mysql",
    "time-goes",
];

#[test]
fn a_cut_may_come_between_any_two_packets_of_it() {
    let mut prng = Prng::new(3);
    let mut cut = 0;
    for path in files("fixtures/scenarios", "scn") {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if !NAMED.iter().any(|word| name.contains(word)) {
            continue;
        }
        let pieces = pieces(&path);
        for at in 1..pieces.len().min(40) {
            let folder = Scratch::new();
            let files = pieces.write(&[at], folder.path());
            assert_same(&files, ALL, &[], &mut prng, &format!("{name} cut at {at}"));
            cut += 1;
        }
    }
    assert!(cut > 100, "{cut} cuts");
}

/// Then some parts begin at the same time, and only their names tell the order.
#[test]
fn each_packet_may_be_a_part_of_its_own() {
    let mut prng = Prng::new(4);
    for path in files("fixtures/scenarios", "scn") {
        let pieces = pieces(&path);
        let folder = Scratch::new();
        let files = pieces.write(&(1..pieces.len()).collect::<Vec<_>>(), folder.path());
        assert_same(&files, ALL, &[2], &mut prng, &path.display().to_string());
    }
}
