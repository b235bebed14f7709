//! The room of one command: it attaches, makes what is its own, works, and takes all of that away.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    External, as_the_drill_counts,
    cutter::Cutter,
    ends, file_flag,
    hook::{Audit, Deed},
    leftovers::remove,
    parts::{Looks, plan, settings},
    platform::ExternalPlatform,
};
use crate::{
    command::Command,
    ledger::record::Record,
    nats::{
        configuration::{ConfigurationWatch, Reader},
        consumer::{ConsumerTask, Control},
        external::{durable::name_of, examine::Region, watch as looking},
        producer::Producer,
    },
    region::{
        Actor, Input, MirrorKind, PlatformKind, ZoneName, ZonePlan, file::Cut,
        observation::Observation, reduce::State, status::Phase,
    },
    room::{
        bringup,
        clock::now_ms,
        drills::{
            Statuses,
            pruning::{self, SESSIONS},
        },
        evidence::LedgerWriter,
        home::{Home, Lease},
        mailbox::{CommandRequest, Mail, Mailbox},
        protocol::Message,
        region_file::Opened,
        runtime::{self, Runtime, ZoneRuntime},
        server::{EventWire, Published},
        state_actor::{self, StateActor},
        work,
    },
};

/// How often each zone is asked.
const EVERY: Duration = Duration::from_millis(250);
/// The number of the one command that is given.
const ONLY: u64 = 1;

/// What a session is for.
pub struct Wanted<'a> {
    pub opened: &'a Opened,
    pub audit: Audit,
    /// The copy that a drill is about; none of a produce.
    pub zone: Option<ZoneName>,
    /// Its link is cut.
    pub cuts: bool,
    /// The program's folder, in which the session has one of its own.
    pub root: &'a Path,
}

/// A room at work.
pub struct Session {
    runtime: Arc<Runtime>,
    actor: JoinHandle<(StateActor, state_actor::End)>,
    writer: LedgerWriter,
    stop: CancellationToken,
    statuses: Statuses,
    wire: Arc<EventWire>,
    /// The region and its folder are in use.
    _leases: [Lease; 2],
}

impl Session {
    /// Attaches to the examined region.
    ///
    /// # Errors
    /// Why nothing was begun, in words; what was made until then is removed.
    pub async fn open(mut region: Region, wanted: Wanted<'_>) -> Result<Self, String> {
        let file = &wanted.opened.file;
        let subject = file
            .subject
            .clone()
            .ok_or("the region file names no `subject`: without one nothing is published")?;
        if let Some(why) = region.cannot_be_drilled(&subject) {
            return Err(why);
        }
        let at_work = Home::claim_of_others(wanted.root, &file.name);
        let at_work = at_work.map_err(|error| error.to_string())?;
        let others = wanted.root.join(format!("{}.others", file.name));
        let home = Home { region: file.name.clone(), folder: others.join(folder_name()) };
        home.create().map_err(|error| error.to_string())?;
        let lease = home.claim().map_err(|error| error.to_string())?;
        // What cannot be removed is no reason not to drill.
        if let Err(error) = pruning::sessions(&others, &file.name, SESSIONS) {
            tracing::warn!(%error, "{} cannot be pruned", others.display());
        }
        let writer = LedgerWriter::open(&home, now_ms()).map_err(|error| error.to_string())?;
        let consumer = name_of(&file.name, writer.run.as_str());
        region.watches(&consumer);
        let region = Arc::new(region);
        // Mirrors have the source's sequences.
        let (before, at) = (region.last_seq(0).await?, now_ms());
        let baseline = Record::Baseline { s: before, subject: Some(subject.clone()), at };
        writer.evidence.write(vec![baseline]).await.map_err(|lost| lost.to_string())?;
        let (bus, inbox) = Mailbox::new();
        let mirror = wanted.zone.clone().or_else(|| file.copies().first().map(|z| z.name.clone()));
        let kinds = mirror.as_ref().and_then(|zone| region.kinds(zone));
        let (version, copy_kind, mirror_kind) =
            kinds.ok_or("how the copy is made is not known; `doctor` says more")?;
        let mut looked = None;
        let mut cutter = None;
        if let Some(zone) = &wanted.zone {
            let unknown = "it is not known what the copy copies; `doctor` says more";
            let mut link = region.link(zone).await.ok_or(unknown)?;
            let before = link.look().await;
            if wanted.cuts && before.paused == Some(true) {
                return Err(format!(
                    "the durable of zone {zone} is paused already, by somebody else: nothing is begun"
                ));
            }
            if wanted.cuts && before.lists_none() {
                return Err(format!(
                    "the link of zone {zone} carries nothing: it is cut already, or down. {} names who cut it; `zonedrill{} heal {zone}` ends a cut",
                    wanted.audit.file.display(),
                    file_flag(&wanted.opened.path)
                ));
            }
            if wanted.cuts && before.tells().is_empty() {
                return Err(format!(
                    "nothing could show that zone {zone} is cut, so that a drill of it would be void: give both zones a `system_context`; `zonedrill{} cut {zone} --for 30s --dry` says what is told",
                    file_flag(&wanted.opened.path)
                ));
            }
            looked = Some((link, before));
            if wanted.cuts {
                let how = file.zone(zone).and_then(|zone| zone.cut.clone());
                let how = how.ok_or("the region file does not say how it is cut")?;
                let link = region.link(zone).await.ok_or(unknown)?;
                if how == Cut::Pause && link.durable.is_none() {
                    return Err(format!(
                        "the copy in zone {zone} copies over no durable that could be paused: give it a hook"
                    ));
                }
                let audit = wanted.audit.clone();
                cutter = Some(Cutter { zone: zone.clone(), how, link, audit });
            }
        }
        let platform = ExternalPlatform::new(version.clone(), cutter, bus.clone());
        let cuts = platform.cuts().unwrap_or_else(|| watch::channel(false).1);
        let plans: Vec<ZonePlan> = (0..)
            .zip(&file.zones)
            .map(|(slot, zone)| plan(&region, slot, zone.name.clone(), &subject, &consumer))
            .collect();

        let started = now_ms();
        let state = State::new(&home.region, PlatformKind::External, started);
        let state = if wanted.zone.is_some() { state.drilled() } else { state };
        let first = Arc::new(Published::new(state.status(started)));
        let (publish, statuses) = watch::channel(first);
        let wire = Arc::new(EventWire::default());
        let (screens, attached) = watch::channel(BTreeMap::new());
        let external = External {
            region: Arc::clone(&region),
            file: wanted.opened.path.clone(),
            limits: file.limits,
            audit: wanted.audit,
            subject,
            before,
            used: AtomicU64::new(0),
        };
        let runtime = Arc::new(
            Runtime::new(runtime::Parts {
                settings: settings(&home, &plans),
                home,
                plans,
                platform: Box::new(platform),
                bus: bus.clone(),
                evidence: writer.evidence.clone(),
                ledger_query: writer.ledger_query(),
                run: writer.run.clone(),
                last_producer: writer.last_producer,
                last_number: writer.last_number,
            })
            .attached(external),
        );
        runtime.set_mirror(mirror_kind);
        work::tell_figures(bus.clone(), writer.figures.clone(), String::new());
        let owner = StateActor::new(state_actor::Parts {
            state,
            runtime: Arc::clone(&runtime),
            inbox,
            publish,
            wire: Arc::clone(&wire),
            floors: writer.floors.clone(),
            screens: attached,
            port_base: 0,
        });
        let stop = CancellationToken::new();
        let session = Self {
            actor: tokio::spawn(async move {
                // Nobody watches; the channel must not be closed.
                let _screens = screens;
                owner.run().await
            }),
            runtime,
            writer,
            stop,
            statuses,
            wire,
            _leases: [at_work, lease],
        };
        bus.tell(Input::Phase(Phase::Starting));
        for plan in session.runtime.plans() {
            bus.tell(Input::ZoneAdded(plan));
        }
        bus.tell(Input::Servers { version, mirror_kind, copy_kind });
        if let (Some((_, before)), Some(zone)) = (&looked, wanted.zone.clone())
            && before.carries()
        {
            let (at_ms, whole) = (now_ms(), true);
            bus.tell(Input::Observed(Observation::Ends { zone, at_ms, whole, shown_by: None }));
        }
        if let Err(why) = session.put_to_work().await {
            let left = session.close().await;
            return Err(left.err().map_or(why.clone(), |left| format!("{why}. {left}")));
        }
        bus.tell(Input::Phase(Phase::Up));
        session.watch();
        if let (Some((link, before)), Some(zone)) = (looked, wanted.zone) {
            let stop = session.stop.clone();
            tokio::spawn(ends::watch(link, zone, before, cuts, bus, stop));
        }
        Ok(session)
    }

    /// Makes a consumer in every zone, and sets all to work.
    async fn put_to_work(&self) -> Result<(), String> {
        let runtime = &self.runtime;
        let Some(external) = &runtime.external else { return Ok(()) };
        let region = &external.region;
        // From another account or machine; here it would have been refused before.
        let others = region.own_consumers(&runtime.home.region, None).await?;
        if let Some(other) = others.iter().find(|other| other.in_use) {
            return Err(format!(
                "another command works on this region: it uses the consumer {} in zone {}; wait for its end",
                other.name, other.zone
            ));
        }
        for (at, plan) in runtime.plans().into_iter().enumerate() {
            let of =
                (runtime.home.region.as_str(), runtime.run.as_str(), external.subject.as_str());
            let asked = region.consumer_asked(at, of, external.before);
            external.audit.note(Deed::Make, &json!({"request": asked, "zone": plan.name}))?;
            region.make_consumer(at, &asked).await?;
            let client = region.connection(at, "zonedrill").await?;
            if plan.is_hub() {
                let connection = region.connection(at, "zonedrill producer").await?;
                let (run, evidence) = (runtime.run.clone(), runtime.evidence.clone());
                runtime.set_producer(Producer::new(connection, run, evidence).at(&plan));
            }
            let (control, held) = watch::channel(Control::default());
            let (report, reported) = watch::channel(work::Report::default());
            let (run, evidence) = (runtime.run.clone(), runtime.evidence.clone());
            let consumer =
                ConsumerTask::spawn(client.clone(), &plan, run, evidence, held, report, None);
            let stop = CancellationToken::new();
            let bus = runtime.bus.clone();
            let seen = reported.clone();
            work::tell(bus, plan.name.clone(), control.subscribe(), seen, stop.clone());
            let (here, zone) = (client.clone(), plan.clone());
            let name = plan.name.clone();
            runtime.set_to_work(Arc::new(ZoneRuntime {
                plan,
                client,
                control,
                report: reported,
                reader: Reader { here, source: None, zone, kind: MirrorKind::Classic },
                configuration: ConfigurationWatch::of_others(),
                consumer: Mutex::new(Some(consumer)),
                renumbering: None,
                stop,
            }));
            runtime.bus.tell(Input::ZoneReady(name));
        }
        Ok(())
    }

    /// Watches the zones from now on, counting as the drill does.
    fn watch(&self) {
        let Some(external) = &self.runtime.external else { return };
        let (to, mut seen) = mpsc::channel(64);
        let watching = tokio::spawn(looking::watch(Arc::clone(&external.region), EVERY, to));
        let (runtime, stop) = (Arc::clone(&self.runtime), self.stop.clone());
        tokio::spawn(async move {
            loop {
                let input = tokio::select! {
                    () = stop.cancelled() => break,
                    input = seen.recv() => input,
                };
                let input = match input {
                    None => break,
                    Some(Input::Observed(Observation::Stream { zone, version, at_ms, report })) => {
                        let Some(report) = as_the_drill_counts(&runtime, *report).await else {
                            break;
                        };
                        let report = Box::new(report);
                        Input::Observed(Observation::Stream { zone, version, at_ms, report })
                    }
                    Some(other) => other,
                };
                if runtime.bus.send(Mail::Input(input)).is_err() {
                    break;
                }
            }
            watching.abort();
        });
    }

    /// Gives the one command; what comes of it arrives there, the answer last.
    ///
    /// # Errors
    /// When the room has ended.
    pub fn give(
        &self,
        actor: Actor,
        command: Command,
    ) -> Result<mpsc::UnboundedReceiver<Message>, String> {
        let (answers, heard) = mpsc::unbounded_channel();
        let given = CommandRequest { actor, command, id: ONLY, answers: Some(answers), stop: None };
        self.runtime.bus.give(given).map_err(|closing| closing.to_string())?;
        Ok(heard)
    }

    /// Gives a command to whose answer nobody listens.
    pub fn say(&self, actor: Actor, command: Command) {
        let given = CommandRequest { actor, ..CommandRequest::by_room(command) };
        let _ = self.runtime.bus.give(given);
    }

    /// The way to its room, for further commands.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        self.runtime.bus.clone()
    }

    /// What is seen of its room.
    #[must_use]
    pub fn looks(&self) -> Looks {
        let (past, events) = self.wire.join();
        Looks { statuses: self.statuses.clone(), past, events }
    }

    /// Ends everything: what is cut is healed, and the consumers that were made are removed.
    ///
    /// # Errors
    /// What is left behind, and what removes it.
    pub async fn close(self) -> Result<(), String> {
        let Self { runtime, actor, writer, stop, _leases, .. } = self;
        let down = bringup::down(&runtime, false).await.map_err(|failure| failure.to_string());
        stop.cancel();
        let removed = match &runtime.external {
            Some(external) => {
                let run = Some(runtime.run.as_str());
                let of = (runtime.home.region.as_str(), run, external.file.as_path());
                remove(&external.region, &external.audit, of).await.map(drop)
            }
            None => Ok(()),
        };
        let _ = runtime.bus.send(Mail::Signal("its command has ended"));
        let _ = actor.await;
        drop(runtime);
        let closed = tokio::task::spawn_blocking(move || writer.close());
        // Whoever still holds a way to the ledger writer must not hold up the end.
        let _ = tokio::time::timeout(Duration::from_secs(2), closed).await;
        down.and(removed)
    }
}

/// `20261130-111500-4711`: of the moment and this process.
fn folder_name() -> String {
    format!("{}-{}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S"), std::process::id())
}
