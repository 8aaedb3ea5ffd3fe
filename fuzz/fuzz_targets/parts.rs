//! Any octets as a part of a capture: read, and judged, whole and in shares.

#![no_main]

use std::panic::set_hook;
use std::process::abort;
use std::sync::Once;

use closewait::fleet::judge::{JudgePlan, judge};
use closewait::fleet::keyed::{Key, Shard};
use closewait::fleet::part::CHUNK;
use closewait::fleet::read::{Fault, PartReader, Wanted};
use closewait::report::jsonl::Jsonl;
use closewait_fuzz::{Troubles, assert_printable, dice, input, plan};
use foldhash::fast::RandomState;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Some damage makes the crate that decodes panic, which the reader catches; libFuzzer would end at once.
fn forgive_the_decoder() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_hook(Box::new(|info| {
            let is_decoders = info.location().is_some_and(|at| at.file().contains("/parquet-"));
            if !is_decoders {
                eprintln!("{info}");
                abort();
            }
        }));
    });
}

fuzz_target!(|bytes: &[u8]| {
    forgive_the_decoder();
    let Ok(part) = PartReader::new(bytes::Bytes::copy_from_slice(bytes)) else { return };
    let share = ["1/1", "1/2", "2/3"][dice(bytes, 3)];
    let shard: Shard = share.parse().expect("a share");
    let (mut rows, mut own, most) = (0, 0, 2 * CHUNK * part.footer.groups.len());
    let wanted = Wanted { shard, key: Key(part.footer.key) };
    let read = part.each(wanted, 0, &RandomState::default(), |row| {
        rows += 1;
        own += u64::from(row.is_own);
        Ok::<(), Fault>(())
    });
    assert!(rows <= most, "{rows} rows");
    let mut out = Vec::new();
    let mut troubles = Troubles::default();
    let asked = JudgePlan { plan: plan(&[input(bytes)]), shard, told: None };
    let judged = judge(asked, &mut Jsonl::new(&mut out), &mut troubles).expect("memory");
    assert!(read.is_ok() || judged.outcome.failed, "what is damaged is said");
    assert_printable(&troubles.0, &['\n']);
    let out = String::from_utf8(out).expect("UTF-8");
    assert_printable(&out, &['\n']);
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let findings = lines.iter().filter(|line| line["finding"] == true).count() as u64;
    assert_eq!(judged.outcome.findings, findings);
    if let (Ok(()), Some(summary)) = (read, lines.last()) {
        assert_eq!(summary["segments"], own);
    }
});
