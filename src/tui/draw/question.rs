//! What is asked before something is done: what it does, how long it takes, what stops, and what
//! becomes void. From the command and the status alone.

use crate::{
    command::{Command, Drill, DrillOptions, NodeAct},
    drill::{
        conclusions::{FURTHER, REQUIREMENTS, Requirement},
        library,
        script::{Filling, Script},
    },
    region::{
        Status, ZoneName,
        format::{bytes, count, seconds},
        keeping::{Keeping, Retention},
        status::{LinkState, Zone},
    },
};

/// Sentences for a person who is about to say yes.
pub(super) fn consequences(command: &Command, status: &Status) -> Vec<String> {
    let mut told = what(command, status);
    let running = status.drill.as_ref().filter(|drill| drill.under_way());
    if let Some(drill) = running.filter(|_| command.disturbs()) {
        told.push(format!("The drill {} runs, and becomes void.", drill.name));
    }
    told
}

fn what(command: &Command, status: &Status) -> Vec<String> {
    match command {
        Command::Drill(Drill::Run(run)) => drills(&run.names, run.scale, run.zone.as_ref(), status),
        Command::Cut { zone, heal_after, .. } => {
            let until = heal_after.map_or_else(
                || format!("until `heal {zone}`"),
                |time| format!("for {}", seconds(time.as_millis() as u64)),
            );
            vec![
                format!("Nothing comes to zone {zone} {until}."),
                "Consumption within each zone should go on.".into(),
            ]
        }
        Command::Impair { zone, what, heal_after } => {
            let until = heal_after.map_or_else(
                || format!("until `heal {zone}`"),
                |time| format!("for {}", seconds(time.as_millis() as u64)),
            );
            vec![format!("The link of zone {zone} gets worse ({what}) {until}.")]
        }
        Command::ZoneRemove { zone, .. } => {
            let held = status.zone(zone).and_then(|zone| zone.stream.as_ref());
            let held = held.map_or_else(
                || "what it holds".into(),
                |stream| format!("{} messages ({})", count(stream.messages), bytes(stream.bytes)),
            );
            vec![format!(
                "Zone {zone} ends: its servers, its copy of {held}, its consumer, its durable at the source. It cannot be had back; `zone add` makes a new one."
            )]
        }
        Command::Node { act, node } => match act {
            NodeAct::Kill | NodeAct::Freeze | NodeAct::Stop | NodeAct::Drain => status
                .zone(&node.zone)
                .map(|zone| majority(zone, &node.to_string()))
                .into_iter()
                .collect(),
            NodeAct::Wipe => vec![format!(
                "{node} ends, and what it stored is removed. The other servers of zone {} have the same; where none is left, the zone's messages are gone.",
                node.zone
            )],
            NodeAct::Start | NodeAct::Thaw => Vec::new(),
        },
        Command::Stream(keep) if keep.deletes() => status
            .zones
            .iter()
            .filter(|zone| zone.role.takes_messages())
            .map(|zone| deleted(keep.changed(zone.keeping), zone))
            .collect(),
        Command::Down { purge } => {
            let data = if *purge { "its data is removed" } else { "its data is kept" };
            vec![format!("Every server of the region ends, and {data}; all screens close.")]
        }
        _ => Vec::new(),
    }
}

/// What a stream deletes once it keeps messages so.
fn deleted(keeping: Keeping, zone: &Zone) -> String {
    let (name, held) = (&zone.name, zone.stream.as_ref().map_or(0, |stream| stream.messages));
    let over = keeping.limit.map_or(0, |limit| held.saturating_sub(limit));
    let now = match (over, keeping.retention) {
        (_, Retention::Interest) => "what all have of it".to_owned(),
        (over, Retention::Limits) => count(over),
    };
    format!(
        "Zone {name} {keeping}. It holds {}; {now} are deleted at once, and do not come back there.",
        count(held)
    )
}

/// What a zone can still do without one more of its nodes.
fn majority(zone: &Zone, node: &str) -> String {
    let up = zone.nodes.iter().filter(|one| one.state.answers() && one.name.to_string() != node);
    let (up, all, name) = (up.count(), zone.nodes.len(), &zone.name);
    if 2 * up > all {
        format!("Zone {name} keeps {up} of {all} servers: it should go on storing and consuming.")
    } else {
        format!(
            "Zone {name} keeps {up} of {all} servers and has no majority: nothing is stored, consumed or copied there until another one runs."
        )
    }
}

/// What the drills' own scripts do to the region; a user's own scripts are known to the room alone.
fn drills(names: &[String], scale: u64, zone: Option<&ZoneName>, status: &Status) -> Vec<String> {
    let mirrors = || status.zones.iter().filter(|zone| !zone.is_hub());
    let first = mirrors().find(|zone| zone.link_state() == Some(LinkState::Up));
    let mirror = zone.or_else(|| first.map(|zone| &zone.name));
    let (Some(source), Some(mirror)) = (status.source(), mirror) else { return Vec::new() };
    let filling = Filling {
        scale,
        source: source.name.clone(),
        mirror: mirror.clone(),
        leader: status.zone(mirror).and_then(Zone::stream_leader),
        new_zone: "new".parse().ok(),
        options: DrillOptions::default(),
        external: false,
    };
    let all = names.iter().any(|name| name == "all");
    let named = |one: &&Requirement| names.iter().any(|name| name == one.drill);
    let chosen = || {
        REQUIREMENTS.iter().filter(move |one| all || named(one)).chain(FURTHER.iter().filter(named))
    };
    let scripts = library::builtin();
    let mut told: Vec<String> = Vec::new();
    let asked = |script: &&Script| {
        names.contains(&script.name) || chosen().any(|one| one.drill == script.name)
    };
    for script in scripts.iter().filter(asked) {
        let filled = script.fill(&filling).ok();
        for command in filled.iter().flat_map(Script::commands) {
            let sentence = match command {
                Command::Cut { zone, .. } => {
                    format!("Zone {zone} is cut from zone {} for some seconds.", source.name)
                }
                Command::Impair { zone, .. } => {
                    format!("The link of zone {zone} gets worse for some seconds.")
                }
                Command::ConsumerPause { zone } => {
                    format!("The consumer of zone {zone} is paused for some seconds.")
                }
                Command::ConsumerRate { zone, rate: Some(_) } => {
                    format!("The consumer of zone {zone} is slowed down for some seconds.")
                }
                Command::Promote { zone, .. } => {
                    format!(
                        "Zone {} is killed and stays so; zone {zone} takes its place.",
                        source.name
                    )
                }
                Command::Stream(keep) if keep.deletes() => format!(
                    "Zone {} {} for some seconds: what it deletes does not come back there, and what zone {mirror} has not copied by then it lacks for good. `verify` and later drills find that; `down --purge` and `up` begin anew.",
                    source.name,
                    keep.changed(source.keeping)
                ),
                Command::ZoneAdd { .. } => "A zone is added, and stays.".into(),
                _ => continue,
            };
            if !told.contains(&sentence) {
                told.push(sentence);
            }
        }
    }
    let takes: Option<u64> = chosen().map(|one| one.takes_s(status).map(u64::from)).sum();
    // How much longer a larger scale takes nobody measured.
    let longer = if scale > 1 { ", at the plan's numbers" } else { "" };
    if chosen().next().is_some() {
        let about = takes.map_or_else(String::new, |takes| format!("About {takes} s{longer}. "));
        told.push(format!("{about}What else is done meanwhile makes it void."));
    }
    if zone.is_none() && mirrors().count() > 1 {
        told.push(format!(
            "It is zone {mirror} that is drilled: focus another with tab to drill that."
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample;

    fn asked(line: &str, status: &Status) -> String {
        consequences(&line.parse().unwrap(), status).join(" ")
    }

    #[test]
    fn a_drill_says_which_zone_how_long_and_what_else() {
        let status = sample::status("three");
        let cut = asked("drill run cut --zone c", &status);
        assert_eq!(
            cut,
            "The consumer of zone c is paused for some seconds. Zone c is cut from zone a for some seconds. About 11 s. What else is done meanwhile makes it void."
        );
        let heal = asked("drill run heal", &status);
        assert!(
            heal.contains("Zone b is cut") && heal.contains("focus another with tab"),
            "{heal}"
        );
        let all = asked("drill run all", &status);
        assert_eq!(all.matches("is cut from").count(), 1, "{all}");
        let does =
            ["About 35 s", "consumer of zone a is paused", "slowed down", "added, and stays"];
        assert!(does.iter().all(|words| all.contains(words)), "{all}");
    }

    #[test]
    fn a_node_says_whether_the_majority_stays() {
        use crate::region::{
            Input,
            observation::{Observation, ProcessState, ProcessTruth},
        };
        let played = sample::at("idle");
        let one = asked("node kill js1-zone-b", &played.status());
        assert!(one.contains("keeps 2 of 3 servers: it should go on"), "{one}");
        let truth = ProcessTruth { state: ProcessState::Dead, pid: None };
        let node = "js3-zone-b".parse().unwrap();
        let died = Input::Observed(Observation::Process { node, truth });
        let status = played.then(died).status();
        let two = asked("node freeze js1-zone-b", &status);
        assert!(two.contains("keeps 1 of 3 servers and has no majority"), "{two}");
        assert_eq!(asked("node start js1-zone-b", &status), "");
    }

    #[test]
    fn what_is_lost_and_what_becomes_void_is_told() {
        let gone = asked("zone remove b", &sample::status("idle"));
        assert!(gone.contains("1,000 messages") && !gone.contains("void"), "{gone}");
        let void = asked("cut b --for 30s", &sample::status("drill begun"));
        assert!(void.contains("for 30.0 s") && void.contains("runs, and becomes void"), "{void}");
    }
}
