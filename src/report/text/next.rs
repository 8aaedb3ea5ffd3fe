//! The line that says what to type to see the connection packet by packet that the first group held longest.

use super::holder_ip;
use super::report::Report;
use crate::names::option;
use crate::place::Place;
use crate::report::shell;
use crate::summary::Totals;
use crate::summary::seen::Seen;
use crate::verdict::local::LocalBy;

/// A series longer than this is not written out: the file of the FIN tells most of it.
const FILES: usize = 4;

impl Report<'_> {
    /// Only where the files can be read again.
    pub fn next(&self) -> Option<String> {
        let options = self.look.explain.as_deref()?;
        let seen = &self.by_service().first()?.longest;
        // Where the FIN itself was not captured, any packet leads there.
        let place = seen.fin.unwrap_or(seen.first);
        let names = names(place, self.totals);
        if names.is_empty() || !names.iter().all(|name| shell::can_be_typed(name)) {
            return None;
        }
        let frame = match (&names[..], self.totals.files.get(place.file())) {
            ([_, _, ..], Some(name)) => shell::word(&format!("{name}:{}", place.frame())),
            _ => place.frame().to_string(),
        };
        let files: Vec<String> = names.into_iter().map(shell::word).collect();
        let local = local(seen);
        let files = files.join(" ");
        let command = format!("closewait explain {files} --frame {frame}{local}{options}");
        Some(self.lang().next(command))
    }
}

/// The files of its capture.
fn names(fin: Place, totals: &Totals) -> Vec<&str> {
    let own = [fin.file()];
    let capture = totals.captures.iter().find(|capture| capture.files.contains(&fin.file()));
    let files = capture.map(|capture| &capture.files[..]).filter(|files| files.len() <= FILES);
    let name = |&file: &usize| totals.files.get(file).map(String::as_str);
    files.unwrap_or(&own).iter().filter_map(name).collect()
}

/// The option that says whose closing is judged, if it was not the capture that told.
fn local(seen: &Seen) -> String {
    match seen.local_by {
        Some(LocalBy::Option) => format!(" --local {}", shell::word(&option(holder_ip(seen)))),
        _ => String::new(),
    }
}
