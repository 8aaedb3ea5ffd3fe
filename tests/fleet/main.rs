//! Captures cut anywhere and made into parts, judged in any order and in any number of shares: the rows
//! are those of one pass, octet for octet.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../benches/traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "../simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

mod both;
mod bounds;
mod clocks;
mod cut;
mod named;
mod table;

use std::path::{Path, PathBuf};

use both::{ALL, How, difference, one_pass, parts, rows, shares, summary, whole};
use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use common::{Scratch, files};
use cut::Pieces;
use generator::{Format, Shape};
use prng::Prng;

/// Holds parts of a series of files against one pass over them: whole, and in shares.
fn assert_same(files: &[String], how: How, shards: &[u64], prng: &mut Prng, name: &str) -> usize {
    let folder = Scratch::new();
    let one = one_pass(files, how);
    let mut made = parts(files, how, folder.path());
    shuffle(&mut made, prng);
    let together = whole(&made, how);
    let differ = || difference(&rows(&together), &rows(&one));
    assert!(together == one, "{name}: {} files: {}", files.len(), differ());
    for &of in shards {
        let Some((rows_of, flows)) = shares(&made, of, how) else { continue };
        let wanted = rows(&one);
        assert!(rows_of == wanted, "{name}: {of} shares: {}", difference(&rows_of, &wanted));
        assert_eq!(summary(&one)["flows"], flows, "{name}: {of} shares");
        // What has to be judged whole is counted by whoever calls.
        if of == *shards.last().expect("some") {
            return 1;
        }
    }
    0
}

fn shuffle(parts: &mut [PathBuf], prng: &mut Prng) {
    for at in (1..parts.len()).rev() {
        parts.swap(at, prng.below(at as u64 + 1) as usize);
    }
}

/// Some places to cut at, in order.
fn cuts(len: usize, most: u64, prng: &mut Prng) -> Vec<usize> {
    let mut cuts: Vec<usize> =
        (0..prng.below(most + 1)).map(|_| prng.below(len as u64) as usize).collect();
    cuts.retain(|cut| *cut > 0);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// Made-up traffic at which hours pass, so that connections retire and ports are used again.
#[test]
fn traffic_may_be_cut_anywhere() {
    let seeds = std::env::var("CLOSEWAIT_FLEET_SEEDS").ok().and_then(|n| n.parse().ok());
    let mut in_shares = 0;
    for seed in 0..seeds.unwrap_or(6) {
        let mut prng = Prng::new(seed);
        let (rate, open) = (prng.between(1, 40), prng.between(5, 60) as usize);
        let shape = Shape { rate, requests: 2, leaks: 20, seed, ..Shape::small(2_000, open) };
        let mut octets = Vec::new();
        let format = if prng.one_in(2) { Format::Pcap } else { Format::Pcapng };
        generator::write(shape.on(prng.pick(&[3306, 5432, 7777])), format, &mut octets)
            .expect("memory");
        let pieces = Pieces::of(&octets).expect("a whole capture");
        let folder = Scratch::new();
        let files = pieces.write(&cuts(pieces.len(), 12, &mut prng), folder.path());
        let how = How {
            all: prng.one_in(2),
            contents: prng.one_in(2),
            threads: prng.between(1, 3) as usize,
            key: prng.next(),
        };
        let shards = [2, prng.between(3, 9)];
        in_shares += assert_same(&files, how, &shards, &mut prng, &format!("seed {seed} {how:?}"));
    }
    assert!(in_shares > 0, "nothing was judged in shares");
}

/// Every phenomenon, cut once somewhere.
#[test]
fn every_scenario_may_be_cut_anywhere() {
    let mut in_shares = 0;
    for path in files("fixtures/scenarios", "scn") {
        // Each by a seed of its own: another scenario changes nothing of it.
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut prng = Prng::new(name.bytes().map(u64::from).sum());
        let scenario = Scenario::read(&path).expect("a scenario");
        let octets = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
        in_shares += cut_and_compare(&octets, &path, ALL, &[3], &mut prng);
    }
    assert!(in_shares > 100, "{in_shares} scenarios were judged in shares");
}

/// Real captures, pcapng too, with any number of threads.
#[test]
fn every_fixture_may_be_cut_anywhere() {
    let mut prng = Prng::new(2);
    let folders = ["fixtures/captures", "fixtures/captures/reproduction", "fixtures/captures/pair"];
    let all = |extension: &'static str| folders.map(|folder| files(folder, extension)).concat();
    let all = [all("pcap"), all("pcapng")].concat();
    let (mut read, mut in_shares) = (0, 0);
    for path in &all {
        let octets = std::fs::read(path).expect("readable");
        for threads in [1, 2, 3, 8] {
            let how = How { threads, contents: prng.one_in(2), key: prng.next(), ..ALL };
            in_shares += cut_and_compare(&octets, path, how, &[2, 5], &mut prng);
        }
        read += 1;
    }
    assert!(read > 12 && in_shares > 32, "{in_shares} of {read} in shares");
}

fn cut_and_compare(octets: &[u8], path: &Path, how: How, shares: &[u64], prng: &mut Prng) -> usize {
    let name = path.display().to_string();
    // One that is damaged, or has sections, is read as it is.
    let Some(pieces) = Pieces::of(octets).filter(|pieces| pieces.len() > 1) else {
        return assert_same(&[path.to_str().expect("UTF-8").to_owned()], how, shares, prng, &name);
    };
    let folder = Scratch::new();
    let files = pieces.write(&cuts(pieces.len(), 4, prng), folder.path());
    assert_same(&files, how, shares, prng, &name)
}
