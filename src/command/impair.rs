//! `impair`, and `cut` of one direction: their words, and how they are written.

use std::{fmt, time::Duration};

use clap::Args;

use super::{
    ParseError,
    spelling::flag,
    units::{format_duration, parse_duration},
};
use crate::region::{
    ZoneName,
    condition::{
        BitRate, ConditionError, Direction, Feature, Flap, LinkCondition, Share, Way,
        presets::Preset,
    },
};

/// What is asked of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Impair {
    /// A condition with a name; the room knows which there are.
    Preset(String),
    /// What the words say, of the directions that are meant; in the other one all stays as it is.
    Words { way: Way, direction: Direction, flap: Option<Flap>, reset_every_ms: Option<u32> },
}

impl Impair {
    /// The same as nothing but silence in one direction.
    #[must_use]
    pub fn silence(direction: Direction) -> Self {
        let way = Way { silent: true, ..Way::default() };
        Self::Words { way, direction, flap: None, reset_every_ms: None }
    }

    /// The condition that a link gets which has `now`.
    ///
    /// # Errors
    /// When there is no such preset, or no link can be like that.
    pub fn condition(
        &self,
        now: LinkCondition,
        presets: &[Preset],
    ) -> Result<LinkCondition, String> {
        match self {
            Self::Preset(name) => {
                let known = presets.iter().find(|preset| &preset.name == name);
                known.map(|preset| preset.condition).ok_or_else(|| {
                    let names: Vec<&str> = presets.iter().map(|one| one.name.as_str()).collect();
                    format!("there is no preset `{name}`: the presets are {}", names.join(", "))
                })
            }
            Self::Words { way, direction, flap, reset_every_ms } => {
                let mut asked = now.with(*way, *direction);
                asked.flap = flap.or(asked.flap);
                asked.reset_every_ms = reset_every_ms.or(asked.reset_every_ms);
                asked.check().map_err(|why| why.to_string())?;
                Ok(asked)
            }
        }
    }

    /// Whatever the link is like now, it cannot be that.
    fn check(&self) -> Result<(), ConditionError> {
        let Self::Words { way, direction, flap, reset_every_ms } = self else { return Ok(()) };
        let whole = [(flap.is_some(), Feature::Flap), (reset_every_ms.is_some(), Feature::Reset)];
        if *direction != Direction::Both
            && let Some((_, feature)) = whole.into_iter().find(|(said, _)| *said)
        {
            return Err(ConditionError::WholeLink(feature));
        }
        let (flap, reset_every_ms) = (*flap, *reset_every_ms);
        let alone = LinkCondition { flap, reset_every_ms, ..LinkCondition::default() };
        LinkCondition { ..alone.said(*way, *direction) }.check()
    }
}

impl LinkCondition {
    /// Of a link that was whole in the directions that are not meant.
    fn said(self, way: Way, direction: Direction) -> Self {
        let Self { flap, reset_every_ms, .. } = self;
        Self { flap, reset_every_ms, ..Self::default().with(way, direction) }
    }
}

/// The words after `impair`.
#[derive(Clone, Debug, Args)]
pub struct ImpairWords {
    /// The mirror zone
    zone: ZoneName,
    /// A link that has a name: satellite, transpacific, thin, lossy, flapping, halfopen, blackhole, or one of your own
    preset: Option<String>,
    /// What is sent arrives so much later (100ms), in each direction that is meant
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// The delay differs by up to so much
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    jitter: Option<Duration>,
    /// So many bits a second pass at most (1mbit)
    #[arg(long, value_name = "RATE")]
    rate: Option<BitRate>,
    /// Nothing arrives; names a direction
    #[arg(long)]
    silent: bool,
    /// So much is lost (5%); this and the next four only over a wire (`up --network wire`)
    #[arg(long, value_name = "SHARE")]
    loss: Option<Share>,
    /// Larger packets are dropped
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u16>,
    /// So many of the packets are overtaken by later ones
    #[arg(long, value_name = "SHARE")]
    reorder: Option<Share>,
    /// So many arrive twice
    #[arg(long, value_name = "SHARE")]
    duplicate: Option<Share>,
    /// Of so many a bit is changed
    #[arg(long, value_name = "SHARE")]
    corrupt: Option<Share>,
    /// Up and down again and again (5s/2s)
    #[arg(long, value_name = "UP/DOWN")]
    flap: Option<Flap>,
    /// All connections are reset that often (10s)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    reset: Option<Duration>,
    /// To the zone, from it, or both
    #[arg(long, value_enum, default_value = "both")]
    direction: Direction,
    /// Heal by itself after this long (30s)
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    heal_after: Option<Duration>,
}

/// Milliseconds as a condition holds them; what does not fit is longer than any condition allows.
fn ms(time: Option<Duration>) -> Option<u32> {
    time.map(|time| u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
}

/// A time after which nothing would have happened.
pub(super) fn check_length(heal_after: Option<Duration>, what: &str) -> Result<(), ParseError> {
    if heal_after == Some(Duration::ZERO) {
        return Err(ParseError::Words(format!(
            "`--for 0s` would {what} nothing: give a time, or leave it out to {what} until `heal`"
        )));
    }
    Ok(())
}

impl TryFrom<ImpairWords> for (ZoneName, Impair, Option<Duration>) {
    type Error = ParseError;

    fn try_from(words: ImpairWords) -> Result<Self, ParseError> {
        let ImpairWords { delay, jitter, rate, silent, loss, mtu, flap, reset, direction, .. } =
            words;
        let (reorder, duplicate, corrupt) = (words.reorder, words.duplicate, words.corrupt);
        check_length(words.heal_after, "impair")?;
        let way = Way {
            delay_ms: ms(delay).unwrap_or(0),
            jitter_ms: ms(jitter).unwrap_or(0),
            rate_bps: rate,
            silent,
            loss,
            mtu,
            reorder,
            duplicate,
            corrupt,
        };
        let said =
            !way.is_whole() || flap.is_some() || reset.is_some() || direction != Direction::Both;
        let what = match words.preset {
            Some(preset) if said => {
                return Err(ParseError::Words(format!(
                    "the preset `{preset}` says all of the link: give a preset or options, not both"
                )));
            }
            Some(preset) => Impair::Preset(preset),
            None => Impair::Words { way, direction, flap, reset_every_ms: ms(reset) },
        };
        what.check().map_err(|why| ParseError::Words(why.to_string()))?;
        Ok((words.zone, what, words.heal_after))
    }
}

impl fmt::Display for Impair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, direction, flap, reset) = match self {
            Self::Preset(name) => return write!(f, "{}", shell_words::quote(name)),
            Self::Words { way, direction, flap, reset_every_ms } => {
                (way, direction, flap, reset_every_ms)
            }
        };
        let time = |ms: u32| format_duration(Duration::from_millis(ms.into()));
        let mut parts = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            parts.extend(value.map(|value| format!("--{name} {value}")));
        };
        say("delay", (way.delay_ms > 0).then(|| time(way.delay_ms)));
        say("jitter", (way.jitter_ms > 0).then(|| time(way.jitter_ms)));
        say("rate", way.rate_bps.map(|rate| rate.to_string()));
        for (feature, share) in way.shares() {
            say(feature.as_str(), share.map(|share| share.to_string()));
        }
        say("mtu", way.mtu.map(|mtu| mtu.to_string()));
        say("flap", flap.map(|flap| flap.to_string()));
        say("reset", reset.map(time));
        say("direction", (*direction != Direction::Both).then(|| direction.to_string()));
        write!(f, "{}{}", parts.join(" "), flag(way.silent, " --silent"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{command::Command, region::condition::presets};

    pub(in crate::command) fn any_impair() -> impl Strategy<Value = Impair> {
        let way = |delay_ms: u32, jitter: u32, rate: Option<u64>| Way {
            delay_ms,
            jitter_ms: jitter.min(delay_ms),
            rate_bps: rate.map(BitRate),
            corrupt: rate.map(|rate| Share((rate % 999) as u16 + 1)),
            reorder: rate.map(|rate| Share((rate % 99) as u16 + 1)),
            ..Way::default()
        };
        let words = (
            (1..=10_000u32, 0..=10_000u32, proptest::option::of(12_000..=100_000_000_000u64)),
            prop_oneof![Just(Direction::To), Just(Direction::From), Just(Direction::Both)],
            proptest::option::of((200..=3_600_000u32, 200..=3_600_000u32)),
        );
        prop_oneof![
            "[a-z][a-z0-9-]{0,9}".prop_map(Impair::Preset),
            Just(Impair::silence(Direction::To)),
            words.prop_map(move |((delay, jitter, rate), direction, flap)| Impair::Words {
                way: way(delay, jitter, rate),
                direction,
                flap: flap
                    .filter(|_| direction == Direction::Both)
                    .map(|(up_ms, down_ms)| Flap { up_ms, down_ms }),
                reset_every_ms: None,
            }),
        ]
    }

    fn why(line: &str) -> String {
        line.parse::<Command>().unwrap_err().to_string()
    }

    fn what(line: &str) -> Impair {
        match line.parse() {
            Ok(Command::Impair { what, .. }) => what,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_wrong_line_says_what_is_wrong_with_it() {
        for (line, part) in [
            ("impair b", "nothing is asked"),
            ("impair b --direction to", "nothing is asked"),
            ("impair b --silent", "is a cut"),
            ("impair b --rate 8kbit", "less than a packet a second"),
            ("impair b --rate fast", "`fast` is not the rate of a line"),
            ("impair b --jitter 5ms", "needs a delay"),
            ("impair b --delay 11s", "longer than 10s"),
            ("impair b --delay 1000h", "not a duration"),
            ("impair b thin --delay 5ms", "give a preset or options"),
            ("impair b thin --direction to", "give a preset or options"),
            ("impair b --flap 5s/2s --direction to", "of the whole link"),
            ("impair b --flap 5s/2s --reset 5s", "leave --reset out"),
            ("impair b --mtu 100 --direction to", "an mtu of 100"),
            ("impair b --corrupt 100%", "a corrupt of 100% is not"),
            ("impair b --reorder 0%", "a reorder of 0% is not"),
            ("impair b --delay 5ms --silent --direction to", "delay says nothing"),
            ("impair b thin --for 0s", "would impair nothing"),
            ("cut b --direction to --kind refuse", "one direction"),
            ("cut b --direction to --for 0s", "would cut nothing"),
        ] {
            let why = why(line);
            assert!(why.contains(part), "{line}: {why}");
        }
    }

    #[test]
    fn a_cut_of_one_direction_is_a_silence_there() {
        let silence = what("cut b --direction to --for 5s");
        assert_eq!(silence, Impair::silence(Direction::To));
        assert_eq!(what("cut b --direction to --kind silent"), silence);
        let command: Command = "cut b --direction from".parse().unwrap();
        assert_eq!(command.to_string(), "impair b --direction from --silent");
        assert!(matches!("cut b --direction both".parse(), Ok(Command::Cut { .. })));
    }

    #[test]
    fn the_other_direction_stays_as_it_is_and_both_cannot_be_silent() {
        let presets = presets::all(None).unwrap();
        let halfopen = what("impair b halfopen").condition(LinkCondition::default(), &presets);
        let halfopen = halfopen.unwrap();
        let thin = what("impair b --rate 1mbit --direction to").condition(halfopen, &presets);
        let thin = thin.unwrap();
        assert!(thin.from_zone.silent && thin.to_zone.rate_bps.is_some());
        let both = what("cut b --direction to").condition(halfopen, &presets).unwrap_err();
        assert!(both.contains("is a cut"), "{both}");
        let none = what("impair b moon").condition(halfopen, &presets).unwrap_err();
        assert!(none.contains("no preset `moon`") && none.contains("thin"), "{none}");
    }
}
