//! Zones that are there already, and links that are cut as the region file says. Nothing is started,
//! and nothing that was found is ended.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc, watch};

use super::{cutter::Cutter, hook::Healer};
use crate::{
    command::NodeAct,
    platform::{Platform, PlatformError, PlatformEvent, Progress},
    region::{
        NodeName, PlatformKind, ZoneName, ZonePlan, file::Cut, observation::ProcessTruth,
        topology::CutKind,
    },
    room::{clock::now_ms, mailbox::Mailbox},
};

/// A drill's cut ends by itself after so long, whatever becomes of the drill.
const CUT_AT_MOST: Duration = Duration::from_secs(300);

/// A region of others as a platform.
pub struct ExternalPlatform {
    version: String,
    /// The link that may be cut; none where nothing is.
    link: Option<Link>,
    bus: Mailbox,
}

struct Link {
    cutter: Cutter,
    kinds: &'static [CutKind],
    /// It is cut, or is being cut or healed.
    cut: watch::Sender<bool>,
    healer: Mutex<Option<Healer>>,
}

impl ExternalPlatform {
    /// With servers of that version, and the link that may be cut.
    #[must_use]
    pub fn new(version: String, cutter: Option<Cutter>, bus: Mailbox) -> Self {
        let link = cutter.map(|cutter| Link {
            kinds: match cutter.how {
                Cut::Pause => &[CutKind::Pause],
                Cut::Hook { .. } => &[CutKind::Hook],
            },
            cutter,
            cut: watch::channel(false).0,
            healer: Mutex::new(None),
        });
        Self { version, link, bus }
    }

    /// Whether the link is cut, as it changes; `None` without one that may be.
    #[must_use]
    pub fn cuts(&self) -> Option<watch::Receiver<bool>> {
        self.link.as_ref().map(|link| link.cut.subscribe())
    }

    fn link(&self, zone: &ZoneName) -> Result<&Link, PlatformError> {
        let link = self.link.as_ref().filter(|link| link.cutter.zone == *zone);
        link.ok_or_else(|| {
            PlatformError::Engine(format!("the link of zone {zone} may not be cut here"))
        })
    }

    fn say(&self, text: &str) {
        self.bus.note(crate::region::Severity::Info, text);
    }

    fn not_ours(node: &NodeName) -> PlatformError {
        let why = "belongs to somebody else: zonedrill does nothing to it".into();
        PlatformError::NodeState { node: node.clone(), why }
    }
}

#[async_trait]
impl Platform for ExternalPlatform {
    fn kind(&self) -> PlatformKind {
        PlatformKind::External
    }

    async fn prepare(&self, _progress: Progress<'_>) -> Result<String, PlatformError> {
        Ok(self.version.clone())
    }

    async fn check_zone(&self, _zone: &ZonePlan) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn start_zone(&self, _zone: &ZonePlan) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn remove_zone(&self, zone: &ZoneName, _purge: bool) -> Result<(), PlatformError> {
        Err(PlatformError::Engine(format!("zone {zone} belongs to somebody else: it stays")))
    }

    async fn use_version(&self, _: &str, _: Progress<'_>) -> Result<(), PlatformError> {
        Err(PlatformError::Engine("the servers belong to somebody else, who starts them".into()))
    }

    async fn act(&self, _: NodeAct, node: &NodeName) -> Result<(), PlatformError> {
        Err(Self::not_ours(node))
    }

    fn cut_kinds(&self) -> &'static [CutKind] {
        self.link.as_ref().map_or(&[], |link| link.kinds)
    }

    async fn cut(&self, zone: &ZoneName, _kind: CutKind) -> Result<(), PlatformError> {
        let link = self.link(zone)?;
        let mut healer = link.healer.lock().await;
        link.cut.send_replace(true);
        let until = now_ms() + CUT_AT_MOST.as_millis() as u64;
        match link.cutter.begin(until, &|text| self.say(text)).await {
            Ok(guard) => *healer = guard,
            Err(why) => {
                link.cut.send_replace(false);
                return Err(PlatformError::Engine(format!("the cut of zone {zone} failed: {why}")));
            }
        }
        link.cutter.ask_status(&|text| self.say(text)).await;
        Ok(())
    }

    async fn heal(&self, zone: &ZoneName) -> Result<(), PlatformError> {
        let link = self.link(zone)?;
        let mut healer = link.healer.lock().await;
        let healed = link.cutter.end(&|text| self.say(text)).await;
        healed
            .map_err(|why| PlatformError::Engine(format!("zone {zone} may still be cut: {why}")))?;
        if let Some(guard) = healer.take() {
            // It waits for the guard's end.
            let _ = tokio::task::spawn_blocking(move || guard.dismiss()).await;
        }
        link.cut.send_replace(false);
        Ok(())
    }

    fn is_cut(&self, zone: &ZoneName) -> bool {
        self.link(zone).is_ok_and(|link| *link.cut.borrow())
    }

    async fn truth(&self) -> Vec<(NodeName, ProcessTruth)> {
        Vec::new()
    }

    fn events(&self) -> Option<mpsc::UnboundedReceiver<PlatformEvent>> {
        None
    }

    /// Heals what is still cut; the rest is not ours.
    async fn down(&self, _purge: bool) -> Result<(), PlatformError> {
        match &self.link {
            Some(link) if *link.cut.borrow() => self.heal(&link.cutter.zone.clone()).await,
            _ => Ok(()),
        }
    }
}
