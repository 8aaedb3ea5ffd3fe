//! The connections that are shown: those that the filter lets pass, of the chosen group, in their order.

use super::super::filter::Filter;
use super::super::order::Order;
use super::super::picture::Picture;
use crate::verdict::Verdict;

/// A line among the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every connection.
    All,
    /// A group of findings, by its place in the picture.
    Group(usize),
    /// Findings of groups that were too small to be kept.
    Others,
    /// Connections without a finding, by their verdict's place in [`Verdict::NAMES`].
    Verdict(usize),
}

/// The lines of the groups and the rows of the chosen one.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Kinds that there are, each with the number of connections that pass the filter; the chosen kind is among them.
    pub kinds: Vec<(Kind, usize)>,
    /// Places in [`Picture::entries`].
    pub rows: Vec<u32>,
    /// All that pass the filter, and their kinds.
    passed: Vec<(u32, Kind)>,
}

impl View {
    /// Looks at every connection once.
    pub fn new(picture: &Picture, filter: &Filter) -> View {
        let places = places(picture);
        let kind = |number: u32| {
            let entry = &picture.entries[number as usize];
            match entry.group {
                Some(group) => {
                    places.get(group).copied().flatten().map_or(Kind::Others, Kind::Group)
                }
                None => Kind::Verdict(entry.seen.verdict.index()),
            }
        };
        let passes = |number: &u32| filter.matches(&picture.entries[*number as usize]);
        let numbers = (0..picture.entries.len() as u32).filter(passes);
        let passed: Vec<(u32, Kind)> = numbers.map(|number| (number, kind(number))).collect();
        let kinds = kinds(picture, &passed, filter);
        View { kinds, rows: Vec::new(), passed }
    }

    /// Lists the rows of a kind.
    pub fn choose(&mut self, picture: &Picture, kind: Kind, order: Order, is_reversed: bool) {
        let of_kind = |(_, own): &&(u32, Kind)| kind == Kind::All || *own == kind;
        self.rows = self.passed.iter().filter(of_kind).map(|(number, _)| *number).collect();
        let entries = &picture.entries;
        self.rows.sort_by(|a, b| {
            let compared = order.compare(&entries[*a as usize], &entries[*b as usize]);
            if is_reversed { compared.reverse() } else { compared }
        });
    }
}

/// The place of each group in the picture, by its number.
fn places(picture: &Picture) -> Vec<Option<usize>> {
    let most = picture.groups.iter().map(|group| group.number + 1).max().unwrap_or(0);
    let mut places = vec![None; most];
    for (place, group) in picture.groups.iter().enumerate() {
        places[group.number] = Some(place);
    }
    places
}

/// Groups come as the report has them, then what is no finding. With a filter, what it leaves nothing of is
/// left out.
fn kinds(picture: &Picture, passed: &[(u32, Kind)], filter: &Filter) -> Vec<(Kind, usize)> {
    let mut groups = vec![0; picture.groups.len()];
    let mut verdicts = vec![0; Verdict::NAMES.len()];
    let mut others = 0;
    for (_, kind) in passed {
        match kind {
            Kind::Group(place) => groups[*place] += 1,
            Kind::Verdict(verdict) => verdicts[*verdict] += 1,
            Kind::Others | Kind::All => others += 1,
        }
    }
    let is_shown = |(_, n): &(Kind, usize)| *n > 0;
    let all = [(Kind::All, passed.len())];
    let groups = groups.into_iter().enumerate().map(|(place, n)| (Kind::Group(place), n));
    let groups = groups.filter(|line| filter.is_empty() || is_shown(line));
    let verdicts = verdicts.into_iter().enumerate().map(|(place, n)| (Kind::Verdict(place), n));
    let rest = [(Kind::Others, others)].into_iter().chain(verdicts).filter(is_shown);
    all.into_iter().chain(groups).chain(rest).collect()
}
