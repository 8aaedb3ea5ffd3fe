//! Any bytes as a capture file, in whatever format or compression they seem to be; text as tcpdump
//! prints it is one of them.

#![no_main]

use std::hash::{DefaultHasher, Hash, Hasher};

use closewait::capture::file::{FileSource, Input};
use closewait::capture::{LinkType, Next, Source};
use closewait_fuzz::{assert_printable, input};
use libfuzzer_sys::fuzz_target;

/// Octets of the shortest record without its data, of all formats.
const RECORD: usize = 16;

/// No plain input that libFuzzer makes here holds more packets. A compressed one can hold any number, and is
/// left there: a bomb is no finding.
const MAX_FRAMES: u64 = 1 << 16;

fuzz_target!(|bytes: &[u8]| {
    let input = input(bytes);
    let plain = read(&input, bytes, false);
    // Looking at the time of the next packet changes nothing, not even an error.
    assert_eq!(plain, read(&input, bytes, true));
});

/// All that a file holds: its packets' number and hash, and how it ended.
type Contents = (u64, u64, Option<String>);

fn read(input: &Input, bytes: &[u8], peeking: bool) -> Contents {
    let is_compressed = bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5]);
    let mut source = match FileSource::open(input, 7) {
        Ok(source) => source,
        Err(error) => {
            assert_printable(&error.to_string(), &[]);
            return (0, 0, Some(error.to_string()));
        }
    };
    let (mut frames, mut octets, mut hash) = (0, 0, DefaultHasher::new());
    let mut links = Vec::new();
    let mut troubles = Vec::new();
    let mut has_failed = false;
    let error = loop {
        let next_time = peeking.then(|| source.peek_time());
        let frame = match source.next() {
            Ok(Next::Frame(frame)) => frame,
            Ok(Next::Idle(_)) => panic!("a file is never idle"),
            // What of a text could not be read is said at its end.
            Ok(Next::Trouble(error)) => {
                assert!(troubles.len() < 2, "{troubles:?}");
                troubles.push(error.to_string());
                continue;
            }
            Ok(Next::End) => break troubles.pop(),
            Err(error) => {
                has_failed = true;
                break Some(error.to_string());
            }
        };
        frames += 1;
        // What a text describes is longer than its line.
        let is_made = matches!(frame.link, LinkType::TEXT | LinkType::RAW);
        octets += if is_made { 1 } else { RECORD + frame.data.len() };
        if frames == MAX_FRAMES {
            return (frames, hash.finish(), None);
        }
        assert_eq!((frame.place.frame(), frame.place.file()), (frames, 7));
        assert!(frame.place.digits() <= 9);
        assert!(is_compressed || octets <= bytes.len(), "more octets than the file has");
        if let Some(time) = next_time {
            assert_eq!(time, Some(frame.place.time));
        }
        let way = format!("{:?}", frame.direction);
        (frame.place.time.nanos(), frame.place.digits(), frame.interface, way).hash(&mut hash);
        (frame.link, frame.original_len, frame.data).hash(&mut hash);
        if !links.contains(&frame.link) {
            links.push(frame.link);
        }
    };
    assert_printable(error.as_deref().unwrap_or_default(), &[]);
    // A text has no link layer to tell of.
    let about = &source.about().links;
    assert!(about.is_empty() || links.iter().all(|link| about.contains(link)));
    let (done, all) = source.progress();
    assert!(all.is_some_and(|all| done <= all), "{done} of {all:?} bytes read");
    // The end stays the end; after an error, what else is wrong comes before it.
    let words = std::iter::from_fn(|| match source.next() {
        Ok(Next::Trouble(error)) if has_failed => Some(error.to_string()),
        Ok(Next::End) => None,
        _ => panic!("a packet behind the end"),
    });
    let words: Vec<String> = words.take(3).collect();
    assert!(words.len() < 3, "{words:?}");
    words.iter().for_each(|word| assert_printable(word, &[]));
    assert_eq!(source.peek_time(), None);
    (frames, hash.finish(), error)
}
