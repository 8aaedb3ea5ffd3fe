//! Any text as a saved list of sockets, and what a report makes of it.

#![no_main]

use closewait::owner::{Socket, SocketList, saved};
use closewait::run::Plan;
use closewait_fuzz::{Format, assert_printable, input, plan, report};
use libfuzzer_sys::fuzz_target;

/// Some list names its connection, most do not.
const CAPTURE: &[u8] = include_bytes!("../../fixtures/captures/incident.pcap");

fuzz_target!(|text: &str| {
    let saved = match saved::parse(text) {
        Ok(saved) => saved,
        Err(error) => {
            assert_printable(&error.to_string(), &[]);
            return;
        }
    };
    if let Some(unread) = &saved.unread {
        assert!((1..=text.lines().count()).contains(&unread.line));
        assert_printable(&unread.to_string(), &[]);
    }
    assert!(saved.moments.iter().all(|moment| !moment.sockets.is_empty()));
    let sockets: Vec<Socket> = saved.moments.into_iter().flat_map(|moment| moment.sockets).collect();
    assert!(sockets.len() <= text.lines().count());
    for socket in &sockets {
        for holder in &socket.holders {
            assert_printable(&holder.command, &[]);
        }
        assert_printable(socket.netns.as_deref().unwrap_or_default(), &[]);
    }
    let list = || SocketList::new(sockets.clone());
    let found = list();
    assert!(sockets.iter().all(|socket| found.find(socket.local, socket.peer).is_some()));
    let input = input(CAPTURE);
    for format in [Format::Text, Format::Jsonl, Format::Csv] {
        let plan = plan(std::slice::from_ref(&input));
        report(Plan { sockets: Some(list()), ..plan }, format).check(format);
    }
});
