//! The connections that are shown: those that the filter lets pass, of the chosen group, in their order.

use super::super::filter::Filter;
use super::super::order::Order;
use super::super::picture::{Entry, Picture};
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
///
/// Kinds are told once a picture, the order is made once a picture and column, and the filter is asked once a text:
/// of a hundred thousand connections each key would else cost many looks at all of them.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Kinds that there are, each with the number of connections that pass the filter; the chosen kind is among them.
    pub kinds: Vec<(Kind, usize)>,
    /// Places in [`Picture::entries`].
    pub rows: Vec<u32>,
    /// All of them in an order, and which.
    sorted: Vec<u32>,
    order: Option<Order>,
    /// The kind of each, and whether the filter lets it pass.
    kind_of: Vec<Kind>,
    passes: Vec<bool>,
}

impl View {
    /// Looks at every connection once.
    pub fn new(picture: &Picture, filter: &Filter) -> View {
        let places = places(picture);
        let kind = |entry: &Entry| match entry.group {
            Some(group) => places.get(group).copied().flatten().map_or(Kind::Others, Kind::Group),
            None => Kind::Verdict(entry.seen.verdict.index()),
        };
        let kind_of = picture.entries.iter().map(kind).collect();
        let mut view = View { kind_of, ..View::default() };
        view.filter(picture, filter);
        view
    }

    /// Asks a filter which of them it lets pass.
    pub fn filter(&mut self, picture: &Picture, filter: &Filter) {
        self.passes = picture.entries.iter().map(|entry| filter.matches(entry)).collect();
        let passed = self.kind_of.iter().zip(&self.passes).filter(|(_, passes)| **passes);
        self.kinds = kinds(picture, passed.map(|(kind, _)| *kind), filter);
    }

    /// Lists the rows of a kind.
    pub fn choose(&mut self, picture: &Picture, kind: Kind, order: Order, is_reversed: bool) {
        if self.order.replace(order) != Some(order) {
            self.sorted = order.sorted(&picture.entries);
        }
        let is_shown = |number: &&u32| {
            let at = **number as usize;
            self.passes[at] && (kind == Kind::All || self.kind_of[at] == kind)
        };
        let shown = self.sorted.iter().filter(is_shown).copied();
        self.rows = if is_reversed { shown.rev().collect() } else { shown.collect() };
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
fn kinds(
    picture: &Picture,
    passed: impl Iterator<Item = Kind>,
    filter: &Filter,
) -> Vec<(Kind, usize)> {
    let mut groups = vec![0; picture.groups.len()];
    let mut verdicts = vec![0; Verdict::NAMES.len()];
    let (mut all, mut others) = (0, 0);
    for kind in passed {
        all += 1;
        match kind {
            Kind::Group(place) => groups[place] += 1,
            Kind::Verdict(verdict) => verdicts[verdict] += 1,
            Kind::Others | Kind::All => others += 1,
        }
    }
    let is_shown = |(_, n): &(Kind, usize)| *n > 0;
    let all = [(Kind::All, all)];
    let groups = groups.into_iter().enumerate().map(|(place, n)| (Kind::Group(place), n));
    let groups = groups.filter(|line| filter.is_empty() || is_shown(line));
    let verdicts = verdicts.into_iter().enumerate().map(|(place, n)| (Kind::Verdict(place), n));
    let rest = [(Kind::Others, others)].into_iter().chain(verdicts).filter(is_shown);
    all.into_iter().chain(groups).chain(rest).collect()
}
