//! A set of numbers that takes runs of them at once: about a bit for each, far less for long runs.

use roaring::RoaringTreemap;

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
        if self.0.is_empty() {
        } else if count == 1 {
            self.0.remove(first);
        } else {
            self.0.remove_range(first..=first + (count - 1));
        }
    }

    /// Adds those of a run that are in another set.
    pub(super) fn insert_common(&mut self, other: &Self, first: u64, count: u64) {
        if other.count(first, count) > 0 {
            let members = other.iter_from(first);
            self.0.extend(members.take_while(|number| number - first < count));
        }
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
        if self.is_empty() || other.is_empty() { 0 } else { self.0.intersection_len(&other.0) }
    }

    /// The members both sets have.
    pub(super) fn common(&self, other: &Self) -> Self {
        Self(&self.0 & &other.0)
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
