//! The state of a transaction after each packet, as it is read and as Wireshark reads it.

use std::collections::BTreeMap;
use std::path::Path;

use closewait::attach::registry::{Known, Talk};
use closewait::attach::{Opening, Peer};
use closewait::capture::file::{FileSource, Input};
use closewait::capture::{Frame, Next, Source};
use closewait::decode::Decoder;
use closewait::tcp::segment::FlowKey;
use closewait::tcp::stream::{Chunk, Stream};

use super::common;

/// What is known after each frame of the server's that ends an answer.
fn states(capture: &Path, server: u16, some: &dyn Fn(u64) -> bool) -> BTreeMap<u64, Option<bool>> {
    let mut source = FileSource::open(&Input(capture.to_path_buf()), 0).expect("a capture");
    let decoder = Decoder::default();
    let mut flows: Vec<(FlowKey, Talk, [Stream; 2])> = Vec::new();
    let mut all = BTreeMap::new();
    loop {
        let frame: Frame = match source.next().expect("whole records") {
            Next::Frame(frame) => frame,
            Next::Idle(_) | Next::Trouble(_) => continue,
            Next::End => return all,
        };
        let number = frame.place.frame();
        let Ok((segment, captured)) = decoder.decode(&frame) else { continue };
        if !some(number) || segment.flags.rst() {
            continue;
        }
        let at = flows.iter().position(|(key, ..)| *key == segment.key).unwrap_or_else(|| {
            let opening = Opening { assumed: true, path: false };
            flows.push((segment.key, Known::Postgresql.begin(opening), Default::default()));
            flows.len() - 1
        });
        let (_, talk, streams) = &mut flows[at];
        let time = segment.place.time;
        let is_server = segment.key.endpoint(segment.from).port == server;
        let (from, to) =
            if is_server { (Peer::Server, Peer::Client) } else { (Peer::Client, Peer::Server) };
        if segment.flags.ack() {
            streams[to as usize].acked(segment.ack, time, |at, piece| talk.take(to, at, piece));
        }
        let (seq, syn, len) = (segment.seq, segment.flags.syn(), segment.len);
        let chunk = Chunk { at: time, seq, syn, len, captured };
        streams[from as usize].take(chunk, |at, piece| talk.take(from, at, piece));
        if is_server {
            all.insert(number, talk.facts(false).in_transaction);
        }
    }
}

pub fn agree(capture: &Path, server: u16) {
    let decode = format!("tcp.port=={server},pgsql");
    let output = common::tool("tshark")
        .args(["-d", &decode, "-Y", "pgsql.status", "-T", "fields", "-e", "frame.number"])
        .args(["-e", "pgsql.status", "-E", "occurrence=l", "-r"])
        .arg(capture)
        .output();
    let Ok(output) = output else { return common::skip("tshark") };
    let theirs: BTreeMap<u64, bool> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let (frame, status) = line.split_once('\t')?;
            let is_open = !matches!(status, "I" | "73");
            Some((frame.parse().ok()?, is_open))
        })
        .collect();
    assert!(theirs.len() > 1_000, "{} of tshark", theirs.len());
    assert!(theirs.values().any(|open| *open) && theirs.values().any(|open| !*open));
    let ours = states(capture, server, &|_| true);
    let differ =
        theirs.iter().filter(|(frame, open)| ours[frame].is_some_and(|ours| ours != **open));
    assert_eq!(differ.collect::<Vec<_>>(), [], "all was captured");
    // Two processors can deliver a client's next request before the answer that it had waited for.
    let unknown = theirs.keys().filter(|frame| ours[frame].is_none()).count();
    assert!(unknown * 100 <= theirs.len(), "{unknown} of {} unknown", theirs.len());
    // Captures that begin late, and those that lost a frame.
    let last = *ours.keys().last().expect("frames");
    common::each((1..last).step_by(last as usize / 60), |number| {
        let late = states(capture, server, &|frame| frame >= number);
        let lossy = states(capture, server, &|frame| frame != number);
        for (what, seen) in [("from", late), ("without", lossy)] {
            let wrong = theirs.iter().filter(|(frame, open)| {
                seen.get(frame).copied().flatten().is_some_and(|seen| seen != **open)
            });
            assert_eq!(wrong.collect::<Vec<_>>(), [], "{what} frame {number}");
            let known = theirs.keys().filter(|frame| seen.get(frame).copied().flatten().is_some());
            let (known, after) = (known.count(), theirs.range(number..).count());
            assert!(known + 20 > after, "{known} of {after} {what} frame {number}");
        }
    });
}
