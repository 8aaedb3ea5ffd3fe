//! Any text after a line that tcpdump or tshark printed, so that all of it is read as such, or any text
//! alone.

#![no_main]

use closewait_fuzz::{Format, dice, input, plan, report};
use libfuzzer_sys::fuzz_target;

/// The beginning of the incident, as tcpdump printed it.
const TCPDUMP: &str = "\
11:38:15.679863 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [S], seq 7, win 29200, length 0
11:38:15.679923 IP 172.18.0.3.3306 > 172.18.0.5.38822: Flags [S.], seq 9, ack 8, win 28960, length 0
";

/// A line of tshark's.
const TSHARK: &str = "1 0.0 10.0.0.1 → 10.0.0.2 TCP 74 1 → 80 [SYN] Seq=0 Win=1 Len=0\n";

fuzz_target!(|bytes: &[u8]| {
    let before = [TCPDUMP, TSHARK, ""][dice(bytes, 3)];
    let input = input(&[before.as_bytes(), bytes].concat());
    let format = [Format::Jsonl, Format::Jsonl, Format::Text, Format::Csv][dice(bytes, 4)];
    report(plan(&[input]), format).check(format);
});
