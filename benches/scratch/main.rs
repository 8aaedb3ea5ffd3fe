use closewait::capture::file::{FileSource, Input};
use closewait::capture::{Next, Source};
use closewait::decode::Decoder;
use closewait::table::FlowTable;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let stage: u32 = a[1].parse().unwrap();
    let mut s = FileSource::open(&Input(a[2].clone().into()), 0).unwrap();
    let d = Decoder::default();
    let t = Instant::now();
    let mut n = 0u64;
    let mut x = 0u64;
    let mut w = closewait::run::batch::Batch::new(64);
    let mut tables: Vec<FlowTable> = (0..64).map(|_| FlowTable::default()).collect();
    let mut tt = 0u128;
    let turn: u64 = a.get(3).map_or(131072, |t| t.parse().unwrap());
    while let Ok(Next::Frame(f)) = s.next() {
        n += 1;
        if stage == 0 {
            x ^= f.original_len as u64;
            continue;
        }
        let Some((seg, _)) = d.decode_usual(&f) else { continue };
        if stage == 1 {
            x ^= seg.hash ^ u64::from(seg.seq.0 ^ seg.ack.0) ^ seg.place.order();
            continue;
        }
        w.put((seg.hash >> 40) as usize % 64, &seg);
        if n % turn == 0 {
            let t0 = Instant::now();
            if stage == 2 {
                w.clear();
            } else {
                for (i, t) in tables.iter_mut().enumerate() {
                    w.give(i, t);
                    if stage == 4 {
                        t.retire(f.place.time, |_| {});
                    }
                }
                w.clear();
            }
            tt += t0.elapsed().as_nanos();
        }
    }
    let e = t.elapsed().as_nanos();
    println!(
        "stage {stage}: {:.1} ns/packet, of that table {:.1} ({n} {x})",
        e as f64 / n as f64,
        tt as f64 / n as f64
    );
}
