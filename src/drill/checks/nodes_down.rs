//! Were the servers that the drill suspended, killed or stopped really away?
//!
//! Observed: for each `node freeze`, `node kill` and `node stop` of the run, the node's state in the
//! samples from its answer to the command that brings the node back: what its process does, as the
//! platform says, and whether the server answers.

use super::{Check, Finding, case::Case, reason::Reason};
use crate::{
    command::{Command, NodeAct},
    drill::record::CommandOutcome,
    region::{NodeName, UnixMs, status::NodeState},
};

pub(super) static CHECK: Check = Check {
    id: "nodes-down",
    was: &[],
    question: "were the servers that the drill suspended or ended away until it brought them back?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge,
};

/// What was done to a node, and until when it stood.
struct Felled<'a> {
    line: &'a str,
    act: NodeAct,
    node: &'a NodeName,
    from: UnixMs,
    to: UnixMs,
}

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let felled = felled(case);
    if felled.is_empty() {
        return vec![Finding::void(CHECK.id, Reason::NoNodeDown)];
    }
    let found = felled.iter().map(|felled| {
        let samples = case.run.between(felled.from, felled.to).iter();
        let states = samples.filter_map(|sample| {
            let zone = sample.zone(&felled.node.zone)?;
            let node = zone.nodes.iter().find(|node| node.name == *felled.node)?;
            Some((sample.at, node.state))
        });
        match stood(felled, &states.collect::<Vec<_>>()) {
            Ok(reason) => Finding::proved(CHECK.id, reason),
            Err(reason) => Finding::void(CHECK.id, reason),
        }
    });
    found.collect()
}

fn felled<'a>(case: &'a Case<'_>) -> Vec<Felled<'a>> {
    let given = &case.run.given;
    let last = case.run.samples.last().map_or(0, |sample| sample.at);
    let all = given.iter().enumerate().filter_map(|(i, one)| {
        let Some(Command::Node { act, node }) = &one.command else { return None };
        act.undone_by()?;
        let answer = one.answer.as_ref().filter(|a| a.outcome == CommandOutcome::Done)?;
        let next = given[i + 1..].iter().find(|next| {
            matches!(&next.command, Some(Command::Node { node: named, .. }) if named == node)
        });
        let to = next.map_or(last, |next| next.at);
        Some(Felled { line: &one.line, act: *act, node, from: answer.at, to })
    });
    all.collect()
}

/// It was seen away, and from then on never otherwise.
fn stood(felled: &Felled<'_>, states: &[(UnixMs, NodeState)]) -> Result<Reason, Reason> {
    let away = |state: NodeState| match felled.act {
        NodeAct::Freeze => state == NodeState::Frozen,
        _ => matches!(state, NodeState::Dead | NodeState::Stopped),
    };
    let (line, node) = (felled.line.to_owned(), felled.node.clone());
    let Some(first) = states.iter().position(|(_, state)| away(*state)) else {
        return Err(Reason::NodeNotDown { line, node });
    };
    if let Some((at, _)) = states[first..].iter().find(|(_, state)| !away(*state)) {
        let after_ms = at.saturating_sub(felled.from);
        return Err(Reason::NodeCameBack { line, node, after_ms });
    }
    let (looks, ms) = (states.len() - first, felled.to.saturating_sub(felled.from));
    Ok(Reason::NodeDown { line, node, looks, ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(act: NodeAct, states: &[(UnixMs, NodeState)]) -> Result<Reason, Reason> {
        let node = "js2-zone-b".parse().unwrap();
        stood(&Felled { line: "node x", act, node: &node, from: 100, to: 900 }, states)
    }

    #[test]
    fn a_server_counts_as_away_only_while_it_is_as_the_command_makes_it() {
        use NodeState::{Dead, Frozen, Silent, Up};
        let late = [(150, Up), (300, Frozen), (500, Frozen)];
        let down = told(NodeAct::Freeze, &late).unwrap();
        assert!(matches!(down, Reason::NodeDown { looks: 2, ms: 800, .. }), "{down:?}");
        let back = told(NodeAct::Freeze, &[(200, Frozen), (700, Up)]).unwrap_err();
        assert!(matches!(back, Reason::NodeCameBack { after_ms: 600, .. }), "{back:?}");
        for states in [&[][..], &[(200, Up)], &[(200, Silent)], &[(200, Dead)]] {
            let none = told(NodeAct::Freeze, states).unwrap_err();
            assert!(matches!(none, Reason::NodeNotDown { .. }), "{none:?}");
        }
        assert!(told(NodeAct::Kill, &[(200, Dead)]).is_ok());
        assert!(told(NodeAct::Kill, &[(200, Frozen)]).is_err());
    }
}
