//! The chapters of a recording: commands, drill steps and verdicts, in short and stable words.

use crate::{
    command::{Command, Drill, DrillRun},
    region::{Event, EventKind},
};

/// The marker an event is; `None` for most.
#[must_use]
pub fn of(event: &Event) -> Option<String> {
    let text = match &event.kind {
        EventKind::CommandGiven { command } => match command.parse() {
            // A mark's own event follows at once.
            Ok(Command::Mark { .. }) => return None,
            // Where things lie on this machine is nobody's business who is given the file.
            Ok(Command::Drill(Drill::Run(run))) => {
                Command::Drill(Drill::Run(DrillRun { report: None, ..run })).to_string()
            }
            Ok(Command::Report { .. }) => "report".into(),
            _ => command.clone(),
        },
        EventKind::DrillBegan { drill, sabotage: None } => format!("drill {drill}"),
        EventKind::DrillBegan { drill, sabotage: Some(kind) } => {
            format!("drill {drill} --sabotage {kind}")
        }
        EventKind::DrillStep { drill, number, title } => {
            format!("step {drill} {number:02} {title}")
        }
        EventKind::DrillEnded { drill, verdict, .. } => {
            format!("verdict {drill} {}", verdict.as_str())
        }
        EventKind::Mark { text } => format!("mark {text}"),
        _ => return None,
    };
    Some(text.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{Actor, Person, status::Verdict};

    #[test]
    fn commands_steps_and_verdicts_are_chapters_and_a_mark_is_one() {
        let chapter = |kind| of(&Event { id: 1, at_ms: 0, actor: Actor::room(), kind });
        let given = |command: &str| chapter(EventKind::CommandGiven { command: command.into() });
        assert_eq!(given("cut b --kind silent").unwrap(), "cut b --kind silent");
        assert_eq!(given("mark -- 'half way'"), None);
        assert_eq!(given("drill run heal --report /home/mira/x").unwrap(), "drill run heal");
        assert_eq!(given("report /home/mira/x").unwrap(), "report");
        assert_eq!(chapter(EventKind::Mark { text: "half way".into() }).unwrap(), "mark half way");
        let drill = String::from("heal");
        let step = EventKind::DrillStep { drill: drill.clone(), number: 3, title: "heal b".into() };
        assert_eq!(chapter(step).unwrap(), "step heal 03 heal b");
        let evidence = String::from("nothing lost");
        let ended = EventKind::DrillEnded { drill, verdict: Verdict::Proved, evidence };
        assert_eq!(chapter(ended).unwrap(), "verdict heal proved");
        assert_eq!(
            chapter(EventKind::ScreenLeft {
                person: Person { name: "tom".into(), ..Person::default() }
            }),
            None
        );
    }
}
