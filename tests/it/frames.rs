//! What is printed while messages flow agrees with itself.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;
use zonedrill::region::{
    Status,
    history::{self, Line},
};

use crate::support::region::Region;

#[test]
fn no_frame_under_load_holds_more_than_was_published() {
    let region = Region::up("frames");
    let mut watch = region
        .program()
        .args(["status", "--json", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let lines = BufReader::new(watch.stdout.take().expect("its output")).lines();
    region.ok("produce --rate 400/s --count 3000");
    let (mut moving, mut drawn) = (0, Vec::new());
    for line in lines.map_while(Result::ok) {
        let Ok(frame) = serde_json::from_str::<Value>(&line) else { continue };
        drawn.push(serde_json::from_str::<Status>(&line).expect("a status"));
        let count = |value: &Value| value.as_u64();
        let producer = &frame["producer"];
        let zones = frame["zones"].as_array().expect("zones");
        let stored = |zone: &Value| count(&zone["stream"]["messages"]).unwrap_or(0);
        let source = stored(&zones[0]);
        moving += usize::from(source > 0 && source < 3000);
        let published = count(&producer["published"]).unwrap_or(0);
        assert!(source <= published, "{source} stored of {producer}");
        assert_eq!(producer["foreign"], 0, "{source} {producer}");
        for zone in zones {
            assert!(stored(zone) <= source, "{frame:#}");
            let received = count(&zone["ledger"]["received"]).unwrap_or(0);
            assert!(received <= stored(zone), "{received} received of {}", stored(zone));
            assert!(received <= published, "{received} received of {producer}");
            let delivered = count(&zone["consumer"]["delivered"]).unwrap_or(0);
            assert!(delivered <= count(&zone["stream"]["last_seq"]).unwrap_or(0), "{frame:#}");
            if let Some(lag) = count(&zone["mirror"]["true_lag"]) {
                assert_eq!(lag, source - stored(zone), "{frame:#}");
            }
        }
        if zones.iter().all(|zone| zone["ledger"]["received"] == 3000) {
            break;
        }
    }
    assert!(moving >= 10, "{moving} frames while messages flowed");
    region.ok("down");
    watch.wait().expect("it ends");
    let history = std::fs::read_to_string(region.folder().join("history.jsonl"));
    are_in(&history.expect("a history"), drawn);
}

/// Each frame that was drawn is drawn again by the history.
fn are_in(history: &str, drawn: Vec<Status>) {
    let mut lines = history::read(history).expect("a history").into_iter().peekable();
    let Some(Line::Begin(begin)) = lines.next() else { panic!("it begins with a state") };
    let mut state = begin.state;
    for frame in drawn {
        // Of what came in the frame's own millisecond, some came before it.
        while state.status(frame.at_ms) != frame {
            let next = lines.next_if(|line| line.at() <= frame.at_ms);
            let Some(Line::Input(moment)) = next else { panic!("not in the history: {frame:#?}") };
            state.apply(moment.at, moment.input);
        }
    }
}
