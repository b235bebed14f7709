//! Commands that look and wind, any of them.

use proptest::prelude::*;

use super::{duration, node, speed, zone};
use crate::command::{Inspect, Wind};

pub(super) fn wind() -> impl Strategy<Value = Wind> {
    prop_oneof![
        proptest::sample::select(vec![
            Wind::Pause,
            Wind::On,
            Wind::Faster,
            Wind::Slower,
            Wind::Next,
            Wind::Back,
            Wind::Start,
            Wind::End,
        ]),
        speed().prop_map(|speed| Wind::Speed { speed }),
        duration().prop_map(|time| Wind::To { time }),
    ]
}

pub(super) fn inspect() -> impl Strategy<Value = Inspect> {
    prop_oneof![
        node().prop_map(|node| Inspect::Node { node }),
        zone().prop_map(|zone| Inspect::Stream { zone }),
        zone().prop_map(|zone| Inspect::Consumer { zone }),
        zone().prop_map(|zone| Inspect::Durable { zone }),
        zone().prop_map(|zone| Inspect::Link { zone }),
        proptest::option::of(zone()).prop_map(|zone| Inspect::Faults { zone }),
        "[1-9][0-9]{0,9}|[a-z0-9]{6}-p[1-9]-[1-9][0-9]{0,3}"
            .prop_map(|which| Inspect::Message { which: which.parse().unwrap() }),
    ]
}
