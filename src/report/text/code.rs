//! The functions behind a group of findings, as lines.

use crate::code::{Code, Frame, Trace};
use crate::report::table::cut;
use crate::summary::groups::Group;
use crate::units::count;

/// The indentation of what is said about a group.
const INDENT: &str = "       ";

/// An event a line, then what was left out.
pub fn code_lines(group: &Group, all: bool) -> Vec<String> {
    let Some(code) = group.code.as_deref() else { return Vec::new() };
    let line = |(trace, statement): (&Trace, &String)| {
        format!("{INDENT}{:<12} {trace}: {}", "asked", cut(statement, LONGEST))
    };
    lines(code, between(code, group.said.asked()).map(line).take(MOST).collect(), all)
}

/// Statements between a transaction's first and its last that are named, and the length that each is cut to.
const MOST: usize = 4;
const LONGEST: usize = 60;

/// The statements between a transaction's first and its last, with who sent them.
fn between<'a>(
    code: &'a Code,
    statements: &'a [String],
) -> impl Iterator<Item = (&'a Trace, &'a String)> {
    let fits = code.statements.len() == statements.len() && code.begun.is_some();
    let n = statements.len();
    let all = code.statements.iter().zip(statements).enumerate();
    all.filter(move |(at, _)| fits && *at > 0 && at + 1 < n).map(|(_, both)| both)
}

/// Lines of any socket's code, and those of statements `between` the first and the last.
pub fn lines(code: &Code, between: Vec<String>, all: bool) -> Vec<String> {
    let (mut lines, mut between) = (Vec::new(), Some(between));
    for (name, trace) in code.events() {
        if name == "last asked" {
            lines.extend(between.take().into_iter().flatten());
        }
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
            lines(&code, Vec::new(), false),
            [
                "       begun by     main.(*MainController).update controller.go:22",
                "       last asked   main.(*MainController).charge controller.go:33 < update controller.go:26",
                "       nobody read the end-of-file; 3 functions of libraries folded (--frames)",
            ]
        );
        assert_eq!(lines(&code, Vec::new(), true).len(), 9);
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
            lines(&code, Vec::new(), false)[..2],
            [
                "       begun by     unknown: events were lost",
                "       last asked   net/http.(*persistConn).writeLoop controller.go:2393, on behalf of code that is not on its stack",
            ]
        );
        assert_eq!(in_short(&code), None);
    }
}
