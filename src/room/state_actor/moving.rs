//! Commands that change the streams that take messages: which do, and for how long they keep them.

use crate::{
    command::Command,
    room::{
        drills::Statuses,
        failback, fence, keeping, produce, promote, salvage, switchover,
        task::{self, CommandCtx},
    },
};

/// Runs it; any other command is none of this file's.
pub(super) fn spawn(cx: CommandCtx, command: Command, statuses: Statuses) {
    match command {
        Command::ProducerMove { zone, resend } => {
            task::spawn(cx, move |cx| produce::move_to(cx, zone, resend, statuses));
        }
        Command::Promote { zone, rebuild_dedup, force, follow } => {
            let asked = promote::Asked { zone, rebuild_dedup, force, follow };
            task::spawn(cx, |cx| promote::promote(cx, asked, statuses));
        }
        Command::Fence { zone, force } => {
            task::spawn(cx, move |cx| fence::fence(cx, zone, force, statuses));
        }
        Command::Salvage { zone } => {
            task::spawn(cx, |cx| salvage::salvage(cx, zone, statuses));
        }
        Command::Failback { zone, force } => {
            task::spawn(cx, move |cx| failback::failback(cx, zone, force, statuses));
        }
        Command::Switchover { zone } => {
            task::spawn(cx, |cx| switchover::switchover(cx, zone, statuses));
        }
        Command::Stream(what) => task::spawn(cx, move |cx| keeping::keep(cx, what, statuses)),
        _ => {}
    }
}
