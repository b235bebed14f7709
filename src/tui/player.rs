//! A past drill as if it were a room: its pictures at its own pace, on the same feed.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

use super::{FromRoom, ToRoom};
use crate::{
    command::wind::{Speed, Wind},
    drill::replay::{Reel, Story},
    region::{Event, Status, status::Replay},
    room::protocol::{Message, Outcome},
};

/// How often the picture is told while the replay runs.
const TICK: Duration = Duration::from_millis(100);
/// Going back from shortly after a marker means the marker before it, in milliseconds of the
/// person's time: who reads its name has passed it.
const GRACE: u64 = 1500;

/// How a replay begins.
#[derive(Clone, Debug)]
pub struct Playing {
    /// The name of the bundle's folder.
    pub bundle: String,
    /// How many times as fast as it was.
    pub speed: Speed,
    /// Nobody is there who could go on after the end: the feed ends with the drill.
    pub once: bool,
}

/// A replay: where it stands and how it runs. Pure.
#[derive(Clone, Debug)]
pub struct Player {
    reel: Reel,
    bundle: String,
    speed: Speed,
    paused: bool,
    /// Hundredths of a millisecond that have passed and are not wound on yet.
    rest: u64,
}

impl Player {
    /// At the beginning, running.
    #[must_use]
    pub fn new(story: Arc<Story>, playing: &Playing) -> Self {
        Self {
            reel: Reel::new(story),
            bundle: playing.bundle.clone(),
            speed: playing.speed,
            paused: false,
            rest: 0,
        }
    }

    /// There is no more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.reel.at() >= self.reel.story().to()
    }

    /// It stands still.
    #[must_use]
    pub fn is_still(&self) -> bool {
        self.paused || self.is_over()
    }

    /// Time has passed; returns what happened in it.
    pub fn pass(&mut self, elapsed: Duration) -> Vec<Event> {
        if self.is_still() {
            return Vec::new();
        }
        let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.rest = self.rest.saturating_add(elapsed.saturating_mul(self.speed.percent().into()));
        let ms = self.rest / 100;
        self.rest %= 100;
        self.reel.wind(self.reel.at().saturating_add(ms))
    }

    /// Winds; returns what had happened by then if that is another moment.
    pub fn wind(&mut self, wind: Wind) -> Option<Vec<Event>> {
        let story = Arc::clone(self.reel.story());
        let to = match wind {
            Wind::On if self.is_over() => {
                self.paused = false;
                story.from()
            }
            Wind::Pause | Wind::On => {
                self.paused = wind == Wind::Pause;
                return None;
            }
            Wind::Speed { .. } | Wind::Faster | Wind::Slower => {
                self.speed = match wind {
                    Wind::Speed { speed } => speed,
                    Wind::Faster => self.speed.faster(),
                    _ => self.speed.slower(),
                };
                return None;
            }
            Wind::Next => story.next(self.reel.at())?.at,
            Wind::Back => {
                let grace =
                    if self.is_still() { 0 } else { GRACE * u64::from(self.speed.percent()) / 100 };
                let at = self.reel.at().saturating_sub(grace);
                story.previous(at).map_or(story.from(), |marker| marker.at)
            }
            Wind::Start => story.from(),
            Wind::End => story.to(),
            Wind::To { time } => {
                let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                story.from().saturating_add(ms).min(story.to())
            }
        };
        let (reel, events) = self.reel.sought(to);
        self.reel = reel;
        self.rest = 0;
        Some(events)
    }

    /// The picture of this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let story = self.reel.story();
        let at = self.reel.at();
        let mut status = self.reel.status();
        status.replay = Some(Replay {
            bundle: self.bundle.clone(),
            position_ms: at - story.from(),
            length_ms: story.to() - story.from(),
            speed_percent: self.speed.percent(),
            paused: self.is_still(),
            marker: story.marker(at).map(|marker| marker.words.clone()).unwrap_or_default(),
        });
        status
    }
}

/// Plays a story to a screen until the screen goes, or (once) until the story ends.
pub async fn play(
    story: Arc<Story>,
    playing: Playing,
    to_screen: mpsc::Sender<FromRoom>,
    mut from_screen: mpsc::Receiver<ToRoom>,
) {
    let mut player = Player::new(story, &playing);
    // The pictures before anything has passed; a screen that has gone is seen below.
    if to_screen.send(FromRoom::Message(Message::without_a_room(false))).await.is_err() {
        return;
    }
    let picture = |player: &Player| {
        let status = Box::new(player.status());
        FromRoom::Message(Message::Status { status })
    };
    if to_screen.send(picture(&player)).await.is_err() {
        return;
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        let mut told = Vec::new();
        tokio::select! {
            asked = from_screen.recv() => match asked {
                None => return,
                Some(ToRoom::Command { id, line }) => {
                    let text = format!("this is a replay of what happened: `{line}` changes nothing");
                    let outcome = Outcome::Refused;
                    told.push(FromRoom::Message(Message::Answer { id, outcome, text, data: None }));
                }
                // Its own screen has said so.
                Some(
                    ToRoom::BrokenOff(_)
                    | ToRoom::Silent(_)
                    | ToRoom::Regions { .. }
                    | ToRoom::Confirmed { .. },
                ) => {}
                Some(ToRoom::Wind(wind)) => {
                    // What passed until the key was pressed went by at the old pace.
                    told.extend(happened(player.pass(last.elapsed())));
                    last = Instant::now();
                    if let Some(events) = player.wind(wind) {
                        told.clear();
                        told.push(FromRoom::Wound { events });
                    }
                    told.push(picture(&player));
                }
            },
            _ = tick.tick() => {
                let elapsed = last.elapsed();
                last = Instant::now();
                if !player.is_still() {
                    told.extend(happened(player.pass(elapsed)));
                    told.push(picture(&player));
                }
            }
        }
        for message in told {
            if to_screen.send(message).await.is_err() {
                return;
            }
        }
        if playing.once && player.is_over() {
            return;
        }
    }
}

fn happened(events: Vec<Event>) -> impl Iterator<Item = FromRoom> {
    events.into_iter().map(|event| FromRoom::Message(Message::Event { event }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        drill::{
            record::Entry,
            replay::old::{self, Outcome as Came},
        },
        region::status::Verdict,
    };

    const T: u64 = 1_795_521_600_000;

    fn player() -> Player {
        let lines = [
            serde_json::json!({
                "k": "begin", "format": 1, "zonedrill": "0.1.0", "drill": "own", "script": "",
                "scale": 1, "sabotage": null, "run": "k3f9q2", "region": "east",
                "platform": "local", "server_version": "", "mirror_kind": "durable",
                "source": "a", "mirror": "b", "new_zone": null, "actor": "mia", "at": T,
            }),
            serde_json::json!({"k": "step", "index": 0, "title": "one", "at": T + 4000}),
            serde_json::json!({"k": "step", "index": 1, "title": "two", "at": T + 8000}),
            serde_json::json!({"k": "end", "at": T + 10_000}),
        ];
        let entries: Vec<Entry> =
            lines.into_iter().map(|line| serde_json::from_value(line).unwrap()).collect();
        let came = Came { verdict: Verdict::Void, evidence: "nothing".into() };
        let story = Story::new(old::history(entries, &[], came).unwrap()).unwrap();
        let playing =
            Playing { bundle: "evidence".into(), speed: "4".parse().unwrap(), once: false };
        Player::new(Arc::new(story), &playing)
    }

    fn stands(player: &Player) -> (u64, bool, String) {
        let replay = player.status().replay.unwrap();
        assert_eq!((replay.length_ms, replay.bundle.as_str()), (10_000, "evidence"));
        (replay.position_ms, replay.paused, replay.marker)
    }

    #[test]
    fn time_passes_at_its_speed_and_not_while_it_stands_still() {
        let mut player = player();
        for _ in 0..10 {
            player.pass(Duration::from_millis(100));
        }
        assert_eq!(stands(&player), (4000, false, "own 1: one".into()));
        assert!(player.wind(Wind::Slower).is_none());
        player.pass(Duration::from_millis(500));
        assert_eq!(stands(&player).0, 5000);
        assert!(player.wind(Wind::Pause).is_none());
        assert!(player.wind(Wind::Pause).is_none(), "it says what is wanted, and does not turn it");
        player.pass(Duration::from_secs(60));
        assert_eq!(stands(&player), (5000, true, "own 1: one".into()));
        player.wind(Wind::On);
        player.pass(Duration::from_secs(60));
        assert_eq!(stands(&player), (10_000, true, "own: void".into()));
        // Once it is over, it begins again.
        assert!(player.wind(Wind::On).is_some());
        assert_eq!(stands(&player), (0, false, String::new()));
    }

    #[test]
    fn winding_goes_from_marker_to_marker() {
        let mut player = player();
        player.wind(Wind::Pause);
        let mut to = |wind| {
            player.wind(wind);
            stands(&player).0
        };
        assert_eq!(to(Wind::Next), 4000);
        assert_eq!(to(Wind::Next), 8000);
        assert_eq!(to(Wind::Next), 10_000);
        assert_eq!(to(Wind::Next), 10_000);
        assert_eq!(to(Wind::Back), 8000);
        assert_eq!(to(Wind::Start), 0);
        assert_eq!(to(Wind::Back), 0);
        assert_eq!(to(Wind::End), 10_000);
        let after = |seconds| Wind::To { time: Duration::from_secs(seconds) };
        assert_eq!(to(after(5)), 5000);
        assert_eq!(to(after(86_400)), 10_000, "no further than there is");
        assert_eq!(to(after(0)), 0);
    }

    #[test]
    fn going_back_while_it_runs_does_not_stick_at_the_marker_just_passed() {
        let mut player = player();
        player.pass(Duration::from_millis(2100));
        assert_eq!(stands(&player).0, 8400);
        player.wind(Wind::Back);
        assert_eq!(stands(&player).0, 0, "six seconds at four times the speed");
        player.wind(Wind::Slower);
        player.wind(Wind::Slower);
        player.pass(Duration::from_secs(9));
        player.wind(Wind::Back);
        assert_eq!(stands(&player).0, 4000);
        player.wind(Wind::Speed { speed: "0.5".parse().unwrap() });
        player.wind(Wind::Faster);
        assert_eq!(player.status().replay.unwrap().speed_percent, 100);
    }
}
