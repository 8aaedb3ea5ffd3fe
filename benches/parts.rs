//! The parts of reading one by one: reader, decoder, table, and contents by their protocols.
//! `cargo bench --bench parts`.

#[path = "traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "../tests/simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

#[path = "traffic/recorded.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod recorded;

use std::path::PathBuf;
use std::sync::OnceLock;

use closewait::capture::file::{FileSource, Input};
use closewait::capture::{Frame, LinkType, Next, Source};
use closewait::decode::Decoder;
use closewait::place::{Place, Time};
use closewait::report::jsonl::Jsonl;
use closewait::run::{Notices, Plan, Reading, run};
use closewait::table::FlowTable;
use closewait::tcp::segment::Segment;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use generator::{Format, Shape};

const PACKETS: u64 = 200_000;

fn main() {
    divan::main();
}

/// A capture in memory, and in a file.
struct Capture {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn capture(format: Format) -> &'static Capture {
    static CAPTURES: [OnceLock<Capture>; 2] = [OnceLock::new(), OnceLock::new()];
    CAPTURES[format as usize].get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("capture");
        let mut bytes = Vec::new();
        let shape = Shape::small(PACKETS, 10_000);
        generator::write(shape, format, &mut bytes).expect("a capture");
        std::fs::write(&path, &bytes).expect("a writable folder");
        Capture { _folder: folder, path }
    })
}

/// Calls back for every frame.
fn read(format: Format, mut each: impl FnMut(&Frame)) {
    let input = Input(capture(format).path.clone());
    let mut source = FileSource::open(&input, 0).expect("our capture");
    while let Ok(Next::Frame(frame)) = source.next() {
        each(&frame);
    }
}

#[divan::bench(args = [Format::Pcap, Format::Pcapng])]
fn reader(bencher: Bencher, format: Format) {
    capture(format);
    bencher.counter(ItemsCount::new(PACKETS)).bench(|| {
        read(format, |frame| {
            black_box(frame.data);
        });
    });
}

/// The frames of the capture, each with bytes of its own.
fn frames() -> Vec<(Place, Vec<u8>)> {
    let mut frames = Vec::new();
    read(Format::Pcap, |frame| frames.push((frame.place, frame.data.to_vec())));
    frames
}

fn frame<'a>(place: Place, data: &'a [u8]) -> Frame<'a> {
    Frame {
        place,
        interface: 0,
        link: LinkType::ETHERNET,
        original_len: data.len() as u32,
        direction: None,
        process: None,
        record: 0,
        data,
    }
}

#[divan::bench]
fn decoder_usual(bencher: Bencher) {
    let (frames, decoder) = (frames(), Decoder::default());
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for (place, data) in &frames {
            black_box(decoder.decode_usual(&frame(*place, data)).is_some());
        }
    });
}

#[divan::bench]
fn decoder_long_way(bencher: Bencher) {
    let (frames, decoder) = (frames(), Decoder::default());
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        for (place, data) in &frames {
            black_box(decoder.decode_layers(&frame(*place, data)).is_ok());
        }
    });
}

#[divan::bench]
fn table(bencher: Bencher) {
    let decoder = Decoder::default();
    let frames = frames();
    let segments: Vec<Segment> = frames
        .iter()
        .filter_map(|(place, data)| Some(decoder.decode_usual(&frame(*place, data))?.0))
        .collect();
    bencher.counter(ItemsCount::new(segments.len())).with_inputs(FlowTable::default).bench_refs(
        |table| {
            table.take_all(
                std::iter::once(&segments[..]),
                |segment| segment.hash,
                |segment| Some(*segment),
                |segment| *segment,
                |_| false,
                |_, _| (),
            );
            table.retire(Time::UNKNOWN, |_| {});
        },
    );
}

/// Recordings of each protocol, and traffic of none.
fn contents_of() -> impl Iterator<Item = &'static str> {
    recorded::ALL.iter().map(|recording| recording.name).chain(["none"])
}

/// Nobody is told.
struct Quiet;

impl Notices for Quiet {
    fn trouble(&mut self, error: &closewait::capture::Error) {
        eprintln!("{error}");
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}

/// A whole run over traffic of a protocol, with its contents read and without.
#[divan::bench(args = contents_of(), consts = [true, false], sample_count = 9)]
fn contents<const READ: bool>(bencher: Bencher, name: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = match name {
        "none" => capture(Format::Pcap).path.clone(),
        name => {
            let path = folder.path().join("capture");
            let mut file = std::fs::File::create(&path).expect("a writable folder");
            let mut bytes = Vec::new();
            recorded::multiply(recorded::named(name), PACKETS, &mut bytes).expect("a capture");
            std::io::Write::write_all(&mut file, &bytes).expect("room");
            path
        }
    };
    bencher.counter(ItemsCount::new(PACKETS)).bench_local(|| {
        let reading = Reading { no_content: !READ, ..Reading::default() };
        let plan = Plan { inputs: vec![Input(path.clone())], reading, ..Plan::default() };
        let mut sink = Jsonl::new(std::io::sink());
        black_box(run(plan, &mut sink, &mut Quiet).expect("a report"));
    });
}
