//! The functions behind a group of findings, as lines.

use crate::code::{Code, Frame, Trace};
use crate::summary::groups::Group;
use crate::units::count;

/// The indentation of what is said about a group.
const INDENT: &str = "       ";

/// An event a line, then what was left out.
pub fn code_lines(group: &Group, all: bool) -> Vec<String> {
    group.code.as_deref().map_or(Vec::new(), |code| lines(code, all))
}

/// Lines of any socket's code.
pub fn lines(code: &Code, all: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, trace) in code.events() {
        lines.push(format!("{INDENT}{name:<12} {trace}"));
        if all {
            let frames = trace.frames().iter();
            lines.extend(frames.map(|frame| format!("{INDENT}{:<12}   {frame}", "")));
        }
    }
    let mut remarks = Vec::new();
    remarks.extend(code.unread.then(|| "nobody read the end-of-file".to_owned()));
    remarks.extend(folded(code).filter(|_| !all));
    if !remarks.is_empty() {
        lines.push(format!("{INDENT}{}", remarks.join("; ")));
    }
    lines
}

/// The functions of libraries that are not shown.
fn folded(code: &Code) -> Option<String> {
    let foreign = code.events().flat_map(|(_, trace)| trace.frames()).filter(|frame| !frame.own);
    let n = foreign.count() as u64;
    (n > 0).then(|| format!("{} of libraries folded (--frames)", count(n, "function")))
}

/// Says that what could have named code is missing.
pub fn lost(events: u64) -> String {
    format!("--code: {} lost: what they could have changed is unknown.", count(events, "event"))
}

/// The one function that matters most: `begun by main.update controller.go:22`.
pub fn in_short(code: &Code) -> Option<String> {
    let traces = [
        ("begun by", &code.begun),
        ("end-of-file read by", &code.end_of_file),
        ("last asked by", &code.last),
        ("connected by", &code.connected),
    ];
    let culprit =
        |trace: &Option<Trace>| trace.as_ref().and_then(Trace::culprit).map(Frame::to_string);
    traces.iter().find_map(|(name, trace)| Some(format!("{name} {}", culprit(trace)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, line: u32, own: bool) -> Frame {
        let file = Some("/srv/shop/controller.go".to_owned());
        Frame { function: function.into(), file, line: Some(line), own }
    }

    #[test]
    fn own_functions_are_shown_and_others_folded() {
        let begin = vec![
            frame("net.(*conn).Write", 183, false),
            frame("database/sql.(*DB).Begin", 1862, false),
            frame("main.(*MainController).update", 22, true),
            frame("runtime.goexit", 1594, false),
        ];
        let last = vec![
            frame("main.(*MainController).charge", 33, true),
            frame("main.(*MainController).update", 26, true),
        ];
        let code = Code {
            begun: Some(Trace::By(begin)),
            last: Some(Trace::By(last)),
            unread: true,
            ..Code::default()
        };
        assert_eq!(
            lines(&code, false),
            [
                "       begun by     main.(*MainController).update controller.go:22",
                "       last asked   main.(*MainController).charge controller.go:33 < update controller.go:26",
                "       nobody read the end-of-file; 3 functions of libraries folded (--frames)",
            ]
        );
        assert_eq!(lines(&code, true).len(), 9);
        assert_eq!(
            in_short(&code).as_deref(),
            Some("begun by main.(*MainController).update controller.go:22")
        );
    }

    #[test]
    fn what_is_unknown_says_why() {
        let task = Trace::By(vec![
            frame("net/http.(*persistConn).writeLoop", 2393, false),
            frame("runtime.goexit", 1594, false),
        ]);
        let unknown = Trace::Unknown("events were lost".into());
        let code = Code { begun: Some(unknown), last: Some(task), ..Code::default() };
        assert_eq!(
            lines(&code, false)[..2],
            [
                "       begun by     unknown: events were lost",
                "       last asked   net/http.(*persistConn).writeLoop controller.go:2393, on behalf of code that is not on its stack",
            ]
        );
        assert_eq!(in_short(&code), None);
    }
}
