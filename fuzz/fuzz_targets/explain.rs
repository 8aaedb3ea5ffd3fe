//! Any bytes as a capture of which a connection is explained.

#![no_main]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use anstream::ColorChoice;
use closewait::commands::explain::{ExplainCommand, Which, ladder};
use closewait::report::ladder::LadderLook;
use closewait::run::Reading;
use closewait::table::MAX_FLOWS;
use closewait::units::Zone;
use closewait::verdict::Policy;
use closewait_fuzz::{Format, assert_printable, dice, input, plan, report, without_styles};
use libfuzzer_sys::fuzz_target;

/// A text that is looked at when its writer has gone.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one thread").write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let input = input(bytes);
    let which = match dice(bytes, 4) {
        0 => Which::FirstFinding,
        _ => Which::Frame { file: None, number: 1 + dice(bytes, 16) as u64 },
    };
    let is_first = matches!(which, Which::FirstFinding);
    let literals = dice(bytes, 2) == 0;
    let width = (dice(bytes, 5) < 2).then_some(80);
    let look = LadderLook { zone: Zone::Utc, absolute: literals, all: dice(bytes, 3) == 0, width };
    let asked = ExplainCommand {
        inputs: vec![input.clone()],
        which,
        policy: Policy::default(),
        separate: false,
        sockets: None,
        listed: None,
        reading: Reading { literals, ..Reading::default() },
        max_flows: MAX_FLOWS,
        look,
        color: ColorChoice::Never,
        output: None,
    };
    let out = Shared::default();
    let explained = ladder(&asked, Box::new(out.clone())).expect("memory");
    let text = String::from_utf8(out.0.lock().expect("one thread").clone()).expect("UTF-8");
    assert_printable(&without_styles(&text), &['\n']);
    match explained {
        Ok(outcome) => assert!(!is_first || outcome.findings == 1, "{text}"),
        Err(sentence) => {
            assert_printable(&sentence, &[]);
            assert_eq!(text, "", "{sentence}");
            if is_first {
                assert_eq!(report(plan(&[input]), Format::Jsonl).outcome.findings, 0, "{sentence}");
            }
        }
    }
});
