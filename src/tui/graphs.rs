//! What the graphs show: which figures, of which zone, over which span. The same for the panes, the
//! large graphs and the keys that move their cursor.

use crate::region::{
    Status, UnixMs,
    past::Steps,
    status::{HISTORY_LEN, HISTORY_STEP_MS, Zone},
    word::{next_of, words},
};

words! {
    /// How far back the graphs go.
    #[derive(Default)]
    pub enum Span {
        #[default]
        Minute = "1m",
        Five = "5m",
        Quarter = "15m",
        All = "all",
    }
}

words! {
    /// One figure of a zone.
    #[derive(PartialOrd, Ord)]
    pub enum Figure {
        /// Messages a second that came onto the stream.
        Published = "published",
        /// Messages a second that the consumer processed.
        Consumed = "consumed",
        /// From publishing to consuming, 99 of 100, in microseconds.
        P99 = "p99",
        /// Messages the mirror lacks.
        Lag = "true lag",
    }
}

/// A figure's values, one a step, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    pub step_ms: u64,
    /// When the newest step ended.
    pub at_ms: UnixMs,
    pub values: &'a [Option<u64>],
}

impl Span {
    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|span| span.as_str() == name)
    }

    /// The next one, and the first after the last.
    #[must_use]
    pub fn next(self) -> Self {
        next_of(Self::ALL, self)
    }

    /// Its length; that of everything is as long as what is known, and a minute at least.
    #[must_use]
    pub fn length_ms(self, status: &Status) -> u64 {
        let known = |zone: &Zone| zone.past.all.step_ms * zone.past.all.lag.len() as u64;
        match self {
            Self::Minute => 60_000,
            Self::Five => HISTORY_LEN as u64 * HISTORY_STEP_MS,
            Self::Quarter => 900_000,
            Self::All => status.zones.iter().map(known).fold(60_000, u64::max),
        }
    }
}

impl Figure {
    /// Of many values the highest counts, and not their mean.
    #[must_use]
    pub fn peaks(self) -> bool {
        matches!(self, Self::P99 | Self::Lag)
    }

    /// What is known of it over a span.
    #[must_use]
    pub fn of<'a>(self, zone: &'a Zone, span: Span, status: &Status) -> Series<'a> {
        let long = |steps: &'a Steps| Series {
            step_ms: steps.step_ms,
            at_ms: steps.at_ms,
            values: match self {
                Self::Published => &steps.published,
                Self::Consumed => &steps.consumed,
                Self::P99 => &steps.p99_us,
                Self::Lag => &steps.lag,
            },
        };
        match span {
            Span::Quarter => long(&zone.past.quarter),
            Span::All => long(&zone.past.all),
            Span::Minute | Span::Five => Series {
                step_ms: HISTORY_STEP_MS,
                at_ms: status.history_at_ms,
                values: match self {
                    Self::Published => &zone.past.published,
                    Self::Consumed => &zone.past.consumed,
                    Self::P99 => &zone.past.p99_us,
                    Self::Lag => &zone.lag_history,
                },
            },
        }
    }
}

/// What is known of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Before the zone was there.
    None,
    Unknown,
    Value(u64),
}

/// Which moment a column stands for. A column's bounds are fixed in time, so that what is drawn
/// moves to the left and never changes its height on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Where the newest column ends.
    to_ms: UnixMs,
    span_ms: u64,
    pub columns: u16,
}

impl Axis {
    /// An axis of so many columns that ends with the newest second, or a little later: it stands
    /// still for a twelfth of its span, so that a thin line carries one column and not all of them.
    #[must_use]
    pub fn new(status: &Status, span: Span, columns: u16) -> Self {
        let span_ms = span.length_ms(status).max(1);
        let stands_ms = if span == Span::All { 1 } else { span_ms / 12 };
        let to_ms = status.history_at_ms.div_ceil(stands_ms) * stands_ms;
        Self { to_ms, span_ms, columns: columns.max(1) }
    }

    /// The column of the newest second.
    #[must_use]
    pub fn newest(self, status: &Status) -> u16 {
        self.column(status.history_at_ms).unwrap_or(self.columns - 1)
    }

    fn bin(self, at: UnixMs) -> u128 {
        u128::from(at) * u128::from(self.columns) / u128::from(self.span_ms)
    }

    /// The column of the millisecond that ends at `at`.
    #[must_use]
    pub fn column(self, at: UnixMs) -> Option<u16> {
        let last = |at: UnixMs| self.bin(at.saturating_sub(1));
        let back = last(self.to_ms).checked_sub(last(at))?;
        u16::try_from(back).ok().and_then(|back| (self.columns - 1).checked_sub(back))
    }

    /// When a column ends.
    #[must_use]
    pub fn ends(self, column: u16) -> UnixMs {
        let back = u128::from(self.columns - 1 - column.min(self.columns - 1));
        let bin = self.bin(self.to_ms.saturating_sub(1)).saturating_sub(back) + 1;
        let at = (bin * u128::from(self.span_ms)).div_ceil(u128::from(self.columns));
        u64::try_from(at).unwrap_or(u64::MAX)
    }

    /// A series, column by column: where several values fall on one, their highest or their mean.
    #[must_use]
    pub fn columns(self, series: Series<'_>, figure: Figure) -> Vec<Seen> {
        let mut columns = vec![(Seen::None, 0_u64, 0_u64); usize::from(self.columns)];
        let newest = series.values.len() as u64;
        for (number, value) in (1..).zip(series.values) {
            let ends = series.at_ms.saturating_sub((newest - number) * series.step_ms);
            let begins = ends.saturating_sub(series.step_ms);
            let Some(to) = self.column(ends) else { continue };
            // It fills what lies between it and the one before.
            let from = self.column(begins).map_or(0, |before| (before + 1).min(to));
            for (seen, sum, count) in &mut columns[usize::from(from)..=usize::from(to)] {
                let Some(value) = *value else {
                    *seen = if *seen == Seen::None { Seen::Unknown } else { *seen };
                    continue;
                };
                (*sum, *count) = (sum.saturating_add(value), *count + 1);
                *seen = match *seen {
                    Seen::Value(most) if figure.peaks() => Seen::Value(most.max(value)),
                    // Something that was is never drawn as nothing.
                    Seen::Value(_) => Seen::Value((*sum / *count).max((*sum).min(1))),
                    _ => Seen::Value(value),
                };
            }
        }
        columns.into_iter().map(|(seen, ..)| seen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(to_ms: u64, span_ms: u64, columns: u16) -> Axis {
        Axis { to_ms, span_ms, columns }
    }

    fn seen(axis: Axis, at_ms: u64, values: &[Option<u64>], figure: Figure) -> Vec<Seen> {
        axis.columns(Series { step_ms: 1000, at_ms, values }, figure)
    }

    #[test]
    fn a_second_fills_all_of_its_columns() {
        let columns = seen(axis(60_000, 4_000, 8), 60_000, &[Some(3), None, Some(9)], Figure::Lag);
        let [three, nine] = [3, 9].map(Seen::Value);
        let unknown = Seen::Unknown;
        assert_eq!(columns, [Seen::None, Seen::None, three, three, unknown, unknown, nine, nine]);
    }

    #[test]
    fn seconds_of_one_column_are_its_peak_or_its_mean() {
        let values = [Some(4), Some(0), None, Some(1)];
        let at = |figure| seen(axis(60_000, 4_000, 2), 60_000, &values, figure);
        assert_eq!(at(Figure::P99), [Seen::Value(4), Seen::Value(1)]);
        assert_eq!(at(Figure::Consumed), [Seen::Value(2), Seen::Value(1)]);
        let little = seen(axis(60_000, 9_000, 1), 60_000, &[Some(0), Some(1)], Figure::Published);
        assert_eq!(little, [Seen::Value(1)], "not as nothing");
    }

    #[test]
    fn an_axis_stands_still_for_a_twelfth_of_its_span() {
        let at = |history_at_ms| Status { history_at_ms, ..Status::default() };
        let axis = |seconds: u64| Axis::new(&at(600_000 + 1000 * seconds), Span::Minute, 60);
        assert_eq!(axis(1), axis(5));
        assert_ne!(axis(5), axis(6));
        for seconds in 0..20 {
            let newest = axis(seconds).newest(&at(600_000 + 1000 * seconds));
            assert!(newest >= 55, "{seconds}: {newest}");
        }
    }

    #[test]
    fn what_is_drawn_moves_and_keeps_its_height() {
        let values: Vec<Option<u64>> = (0..300).map(|n| Some(n % 7)).collect();
        let now = seen(axis(900_000, 300_000, 77), 900_000, &values, Figure::Lag);
        let later = [&values[1..], &[Some(3)]].concat();
        let then = seen(axis(901_000, 300_000, 77), 901_000, &later, Figure::Lag);
        let moved = (0..=1).find(|by| now[by + 1..70] == then[1..70 - by]);
        assert!(moved.is_some(), "{now:?} {then:?}");
    }

    #[test]
    fn a_column_ends_where_the_next_begins() {
        let axis = axis(1_795_923_117_000, 60_000, 77);
        for column in 0..77 {
            let ends = axis.ends(column);
            assert_eq!(axis.column(ends), Some(column), "{column}");
            assert_eq!(
                axis.column(ends + 1),
                Some(column + 1).filter(|next| *next < 77),
                "{column}"
            );
        }
        assert_eq!(axis.column(1_795_923_117_000 - 70_000), None);
    }
}
