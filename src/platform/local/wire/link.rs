//! The link between a zone and the source: both directions, and what is asked of them. Pure.

use std::{net::Ipv4Addr, time::Duration};

use tokio::time::Instant;

use super::{flows::Flows, lane::Lane};
use crate::{
    platform::LinkStats,
    region::{
        condition::{Direction, LinkCondition, Way, measured::LinkCount},
        topology::CutKind,
    },
};

/// The link between a zone and the source.
#[derive(Default)]
pub struct Link {
    pub cut: Option<CutKind>,
    pub condition: LinkCondition,
    /// Counts conditions: what began to travel under another one tells nothing of this one.
    pub asked: u64,
    /// It flaps, and is down at present.
    pub down: bool,
    /// When it flaps or is reset next.
    pub turn_at: Option<Instant>,
    pub to_zone: Lane,
    pub from_zone: Lane,
    pub flows: Flows,
    pub resets: u64,
    pub passed_before_cut: u64,
}

impl Link {
    /// It answers whatever comes by a reset.
    pub fn refuses(&self) -> bool {
        self.down || self.cut == Some(CutKind::Refuse)
    }

    /// What a direction is like now.
    pub fn way(&self, direction: Direction) -> Way {
        let from = direction == Direction::From;
        let way = if from { self.condition.from_zone } else { self.condition.to_zone };
        Way { silent: way.silent || self.cut == Some(CutKind::Silent), ..way }
    }

    /// One of its directions.
    pub fn lane(&mut self, direction: Direction) -> &mut Lane {
        if direction == Direction::From { &mut self.from_zone } else { &mut self.to_zone }
    }

    /// Bytes that passed, in both directions.
    pub fn passed(&self) -> u64 {
        self.to_zone.line.passed() + self.from_zone.line.passed()
    }

    /// Another condition begins.
    pub fn begin(&mut self, condition: LinkCondition, now: Instant) {
        self.condition = condition;
        self.asked += 1;
        (self.down, self.resets) = (false, 0);
        self.to_zone.begin();
        self.from_zone.begin();
        let first = condition.flap.map(|flap| flap.up_ms).or(condition.reset_every_ms);
        self.turn_at = first.map(|ms| now + Duration::from_millis(ms.into()));
    }

    /// It goes down, comes up or is reset, as it was asked to from time to time.
    pub fn turn(&mut self, now: Instant) -> Vec<(Ipv4Addr, Vec<u8>)> {
        self.down = self.condition.flap.is_some() && !self.down;
        let next = match self.condition.flap {
            Some(flap) => Some(if self.down { flap.down_ms } else { flap.up_ms }),
            None => self.condition.reset_every_ms,
        };
        self.turn_at = next.map(|ms| now + Duration::from_millis(ms.into()));
        if self.down || self.condition.flap.is_none() {
            self.resets += 1;
            return self.flows.reset_all();
        }
        Vec::new()
    }

    /// What it has carried.
    pub fn stats(&self) -> LinkStats {
        let count = LinkCount {
            condition: self.condition,
            to_zone: self.to_zone.count(),
            from_zone: self.from_zone.count(),
            resets: self.resets,
            ..LinkCount::default()
        };
        LinkStats {
            cut: self.cut,
            since_begin: true,
            connections: self.flows.open(Instant::now()),
            accepted: self.flows.begun,
            refused: self.flows.refused,
            bytes_to_source: count.from_zone.passed,
            bytes_from_source: count.to_zone.passed,
            bytes_since_cut: self.cut.map(|_| self.passed() - self.passed_before_cut),
            count,
        }
    }
}
