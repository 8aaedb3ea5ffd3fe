//! The keys of a connection's other sights: under other addresses, at other capture points, and the
//! other connection of a proxy.

use serde::Serialize;

use super::lines::{EndKey, PlaceLine, place};
use crate::join::{Elsewhere, OtherLeg, Point};
use crate::summary::Row;

/// The keys; all are null where it was not seen elsewhere.
#[derive(Default, Serialize)]
pub(super) struct ElsewhereKeys<'a> {
    rewritten_as: Option<Ends>,
    points: Option<Vec<PointLine<'a>>>,
    other_leg: Option<LegLine<'a>>,
}

/// Both ends of a connection.
#[derive(Serialize)]
struct Ends {
    a: EndKey,
    b: EndKey,
}

/// The part of a connection that one capture point saw.
#[derive(Serialize)]
struct PointLine<'a> {
    file: &'a str,
    saw: &'a [&'static str],
    doubts: Vec<&'static str>,
}

/// The other connection of a proxy.
#[derive(Serialize)]
struct LegLine<'a> {
    #[serde(flatten)]
    ends: Ends,
    first: PlaceLine<'a>,
}

impl<'a> ElsewhereKeys<'a> {
    pub(super) fn new(row: &Row<'a>) -> ElsewhereKeys<'a> {
        let Some(Elsewhere { rewritten_as, points, other_leg }) = row.judged.elsewhere.as_deref()
        else {
            return ElsewhereKeys::default();
        };
        let ends = |[a, b]: [crate::tcp::segment::Endpoint; 2]| Ends { a: a.into(), b: b.into() };
        let point = |point: &'a Point| PointLine {
            file: row.files.get(point.first.file()).map_or("", String::as_str),
            saw: &point.saw,
            doubts: point.doubts.iter().map(|doubt| doubt.name()).collect(),
        };
        let leg =
            |leg: &OtherLeg| LegLine { ends: ends(leg.ends), first: place(leg.first, row.files) };
        ElsewhereKeys {
            rewritten_as: rewritten_as.map(ends),
            points: (!points.is_empty()).then(|| points.iter().map(point).collect()),
            other_leg: other_leg.as_ref().map(leg),
        }
    }
}
