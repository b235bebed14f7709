//! The chapters of a replay and of a recording: commands, drill steps and verdicts, in short and
//! stable words.

use crate::{
    command::{Command, Drill},
    region::{Event, EventKind, actor::Via},
};

/// Tells which events begin a chapter: of a drill its steps and its verdict, outside of one each
/// command.
#[derive(Clone, Debug, Default)]
pub struct Chapters {
    /// The deliberate fault of the drill that runs.
    sabotage: Option<String>,
}

impl Chapters {
    /// The marker that an event is; `None` for most.
    pub fn of(&mut self, event: &Event) -> Option<String> {
        let text = match &event.kind {
            // What a drill does stands in its steps.
            EventKind::CommandGiven { .. } if event.actor.via == Via::Drill => return None,
            EventKind::CommandGiven { command } => match command.parse() {
                // Their own events follow at once; recording and control change nothing.
                Ok(
                    Command::Mark { .. }
                    | Command::Record(_)
                    | Command::Control(_)
                    | Command::Drill(Drill::Run(_)),
                ) => return None,
                _ => command.clone(),
            },
            EventKind::DrillBegan { sabotage, .. } => {
                self.sabotage.clone_from(sabotage);
                return None;
            }
            EventKind::DrillStep { drill, number, title } => {
                let fault = self.sabotage.as_ref().map(|kind| format!(" (sabotage {kind})"));
                format!("{drill}{} {number}: {title}", fault.unwrap_or_default())
            }
            EventKind::DrillEnded { drill, verdict, .. } => {
                format!("{drill}: {}", verdict.as_str())
            }
            EventKind::Mark { text } => format!("mark {text}"),
            _ => return None,
        };
        Some(text.replace(char::is_control, " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{Actor, status::Verdict};

    fn chapters(events: Vec<(Via, EventKind)>) -> Vec<String> {
        let mut chapters = Chapters::default();
        let events = events.into_iter().map(|(via, kind)| {
            let actor = Actor { who: "mira".into(), via };
            Event { id: 1, at_ms: 0, actor, kind }
        });
        events.filter_map(|event| chapters.of(&event)).collect()
    }

    fn given(via: Via, command: &str) -> (Via, EventKind) {
        (via, EventKind::CommandGiven { command: command.into() })
    }

    /// A drill of one step.
    fn drill(sabotage: Option<&str>) -> Vec<(Via, EventKind)> {
        let (drill, title) = (String::from("heal"), String::from("zone b is cut"));
        let sabotage = sabotage.map(str::to_owned);
        let evidence = String::from("nothing lost");
        let room = |kind| (Via::Room, kind);
        vec![
            given(Via::Shell, "drill run heal"),
            room(EventKind::DrillBegan { drill: drill.clone(), sabotage }),
            room(EventKind::DrillStep { drill: drill.clone(), number: 1, title }),
            given(Via::Drill, "cut b"),
            room(EventKind::DrillEnded { drill, verdict: Verdict::Proved, evidence }),
        ]
    }

    #[test]
    fn a_step_is_one_chapter() {
        assert_eq!(chapters(drill(None)), ["heal 1: zone b is cut", "heal: proved"]);
        let sabotaged = chapters(drill(Some("lose")));
        assert_eq!(sabotaged.first().unwrap(), "heal (sabotage lose) 1: zone b is cut");
    }

    #[test]
    fn what_hands_do_is_a_chapter_each() {
        let mark = (Via::Room, EventKind::Mark { text: "half way".into() });
        let events = vec![
            given(Via::Shell, "cut b --kind silent"),
            given(Via::Shell, "mark -- 'half way'"),
            mark,
        ];
        assert_eq!(chapters(events), ["cut b --kind silent", "mark half way"]);
    }
}
