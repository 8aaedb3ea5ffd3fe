//! What a cut can come between, by name: each is cut at every packet.

use super::common::Scratch;
use super::common::files;
use super::common::scenario::Scenario;
use super::common::wire::MICROSECONDS;
use super::cut::Pieces;
use super::prng::Prng;
use super::{ALL, assert_same};

/// Scenarios whose name has one of these in it.
const NAMED: &[&str] =
    &["half-close", "rst", "syn", "fin-with-data", "reuse", "late", "retire", "wrap", "mysql"];

#[test]
fn a_cut_may_come_between_any_two_packets_of_it() {
    let mut prng = Prng::new(3);
    let mut cut = 0;
    for path in files("fixtures/scenarios", "scn") {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if !NAMED.iter().any(|word| name.contains(word)) {
            continue;
        }
        let scenario = Scenario::read(&path).expect("a scenario");
        let octets = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
        let pieces = Pieces::of(&octets).expect("a capture");
        for at in 1..pieces.len().min(40) {
            let folder = Scratch::new();
            let files = pieces.write(&[at], folder.path());
            assert_same(&files, ALL, &[], &mut prng, &format!("{name} cut at {at}"));
            cut += 1;
        }
    }
    assert!(cut > 100, "{cut} cuts");
}
