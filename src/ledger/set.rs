//! A set of numbers that takes runs of them at once: about a bit for each, far less for long runs.

use roaring::RoaringTreemap;

use super::LONGEST_RUN;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) member: bool,
}

/// A set of message numbers or stream sequences.
///
/// A run is given by its first number and its count; the caller has made sure that it does not
/// pass the end of `u64` and that it is not empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NumberSet(RoaringTreemap);

impl NumberSet {
    /// Adds a run; answers how many were new.
    pub(super) fn insert(&mut self, first: u64, count: u64) -> u64 {
        if count == 1 {
            u64::from(self.0.insert(first))
        } else {
            self.0.insert_range(first..=first + (count - 1))
        }
    }

    /// Takes a run out.
    pub(super) fn remove(&mut self, first: u64, count: u64) {
        self.0.remove_range(first..=first + (count - 1));
    }

    /// Adds those of a run that are in another set.
    pub(super) fn insert_common(&mut self, other: &Self, first: u64, count: u64) {
        for stretch in other.stretches(first, count).filter(|stretch| stretch.member) {
            self.insert(stretch.first, stretch.count);
        }
    }

    /// Adds those of a run that are not in another set.
    pub(super) fn insert_absent(&mut self, other: &Self, first: u64, count: u64) {
        for stretch in other.stretches(first, count).filter(|stretch| !stretch.member) {
            self.insert(stretch.first, stretch.count);
        }
    }

    /// Cuts a run into stretches that are wholly in the set or wholly outside.
    pub(super) fn stretches(
        &self,
        first: u64,
        count: u64,
    ) -> impl Iterator<Item = Stretch> + use<'_> {
        let mut left = count;
        std::iter::from_fn(move || {
            let at = first.wrapping_add(count - left);
            let stretch = (left > 0).then(|| self.stretch(at, left))?;
            left -= stretch.count;
            Some(stretch)
        })
    }

    /// The longest stretch from `first` on, at most `most` numbers long. Never walks the numbers:
    /// mostly all is one stretch; otherwise the length is doubled while it fits, then halved.
    pub(super) fn stretch(&self, first: u64, most: u64) -> Stretch {
        let member = self.contains(first);
        let fits = |count| self.count(first, count) == if member { count } else { 0 };
        if fits(most) {
            return Stretch { first, count: most, member };
        }
        let (mut count, mut beyond) = (1, most);
        while beyond - count > 1 {
            let middle = (count * 2).min(count.midpoint(beyond));
            if fits(middle) {
                count = middle;
            } else {
                beyond = middle;
            }
        }
        Stretch { first, count, member }
    }

    /// The members as runs, ascending: first and count, which is at most [`LONGEST_RUN`].
    pub(super) fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut members = self.0.iter();
        std::iter::from_fn(move || {
            let first = members.next()?;
            let Stretch { count, .. } =
                self.stretch(first, LONGEST_RUN.min(u64::MAX - first).max(1));
            if count > 1 {
                // The last of the run, which is then passed.
                members.advance_to(first + (count - 1));
                members.next();
            }
            Some((first, count))
        })
    }

    /// Puts one number in or takes it out.
    pub(super) fn set(&mut self, number: u64, member: bool) {
        if member {
            self.0.insert(number);
        } else {
            self.0.remove(number);
        }
    }

    /// How many of a run are in the set.
    pub(super) fn count(&self, first: u64, count: u64) -> u64 {
        if count == 1 {
            u64::from(self.0.contains(first))
        } else {
            self.0.range_cardinality(first..=first + (count - 1))
        }
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.contains(number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// How many members are at most `number`.
    pub(super) fn count_up_to(&self, number: u64) -> u64 {
        self.0.rank(number)
    }

    /// The member before which there are so many.
    pub(super) fn nth(&self, before: u64) -> Option<u64> {
        self.0.select(before)
    }

    /// The members that are at most `number`.
    pub(super) fn up_to(&self, number: u64) -> Self {
        let mut members = self.0.clone();
        if let Some(after) = number.checked_add(1) {
            members.remove_range(after..);
        }
        Self(members)
    }

    /// The greatest member.
    pub(super) fn max(&self) -> Option<u64> {
        self.0.max()
    }

    /// The smallest members in ascending order.
    pub(super) fn first(&self, how_many: usize) -> Vec<u64> {
        self.iter().take(how_many).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter()
    }

    /// The members from `start` on, ascending.
    pub(super) fn iter_from(&self, start: u64) -> impl Iterator<Item = u64> + '_ {
        let mut members = self.0.iter();
        members.advance_to(start);
        members
    }

    /// How many members both sets have.
    pub(super) fn common_len(&self, other: &Self) -> u64 {
        self.0.intersection_len(&other.0)
    }

    /// The members both sets have. The cost is the smaller set's: mostly it is empty.
    pub(super) fn common(&self, other: &Self) -> Self {
        let (few, many) = if self.len() < other.len() { (self, other) } else { (other, self) };
        Self(few.0.clone() & &many.0)
    }

    /// The members that `other` has not.
    pub(super) fn without(&self, other: &Self) -> Self {
        Self(&self.0 - &other.0)
    }

    /// The members of either.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self(&self.0 | &other.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn set(runs: &[(u64, u64)]) -> (NumberSet, BTreeSet<u64>) {
        let mut set = NumberSet::default();
        for (first, count) in runs {
            set.insert(*first, *count);
        }
        (set, runs.iter().flat_map(|(first, count)| *first..first + count).collect())
    }

    proptest! {
        #[test]
        fn stretches_and_runs_say_what_the_members_say(
            runs in vec((0u64..300, 1u64..40), 0..12),
            others in vec((0u64..300, 1u64..40), 0..12),
            (first, count) in (0u64..300, 1u64..200),
        ) {
            let (set, members) = set(&runs);
            let range = first..first + count;
            let mut at = first;
            for stretch in set.stretches(first, count) {
                prop_assert_eq!(stretch.first, at);
                at += stretch.count;
                let inside = stretch.first..at;
                prop_assert!(inside.clone().all(|n| members.contains(&n) == stretch.member));
                prop_assert!(at == range.end || members.contains(&at) != stretch.member);
            }
            prop_assert_eq!(at, range.end);
            let told: Vec<u64> = set.runs().flat_map(|(first, count)| first..first + count).collect();
            prop_assert!(told.iter().eq(&members));
            prop_assert!(set.runs().all(|(first, count)| !members.contains(&(first + count))));

            let (mut common, was) = self::set(&others);
            let mut absent = common.clone();
            common.insert_common(&set, first, count);
            absent.insert_absent(&set, first, count);
            let is = |inside: bool| -> Vec<u64> {
                let added = range.clone().filter(|n| members.contains(n) == inside);
                was.iter().copied().chain(added).collect::<BTreeSet<_>>().into_iter().collect()
            };
            prop_assert_eq!(common.iter().collect::<Vec<_>>(), is(true));
            prop_assert_eq!(absent.iter().collect::<Vec<_>>(), is(false));
        }
    }

    #[test]
    fn the_end_of_numbers_is_no_end_of_anything_else() {
        let mut set = NumberSet::default();
        set.insert(u64::MAX - 9, 10);
        let told: u64 = set.runs().map(|(_, count)| count).sum();
        assert_eq!(told, 10);
        let stretches: Vec<_> =
            set.stretches(u64::MAX - 19, 20).map(|s| (s.count, s.member)).collect();
        assert_eq!(stretches, [(10, false), (10, true)]);
    }
}
