//! The containers of a zone together.

use super::Pane;
use crate::{
    region::status::{Container, Zone},
    tui::{draw::canvas::Fact, format},
};

impl Pane<'_> {
    /// What the engine tells of the zone's containers together; unknown if it is of one of them.
    pub(super) fn containers(&mut self, zone: &Zone) {
        let theme = self.scene.theme;
        let all: Vec<&Container> =
            zone.nodes.iter().filter_map(|node| node.container.as_ref()).collect();
        if all.is_empty() {
            return;
        }
        let runs = |one: &&&Container| one.state == "running";
        let running: Vec<&Container> = all.iter().filter(runs).copied().collect();
        let whole = running.len() == zone.nodes.len();
        let mut list = vec![Fact::new(
            "running",
            format!("{}/{}", running.len(), zone.nodes.len()),
            if whole { theme.value() } else { theme.warn() },
        )];
        let others = zone.nodes.iter().filter_map(|node| {
            let told = node.container.as_ref().filter(|one| one.state != "running")?;
            Some(format!("js{}", node.name.number)).zip(Some(told.state.clone()))
        });
        list.extend(others.map(|(name, state)| Fact::new(&name, state, theme.warn())));
        let unwell = running.iter().filter_map(|one| one.health.as_deref());
        if let Some(worst) = unwell.filter(|word| *word != "healthy").max() {
            list.push(Fact::new("health", worst.to_owned(), theme.warn()));
        }
        let cpu: Option<f32> = running.iter().map(|one| one.cpu_percent).sum();
        let memory: Option<u64> = running.iter().map(|one| one.memory_bytes).sum();
        let cpu = cpu.map_or_else(|| "?".into(), |percent| format!("{percent:.0} %"));
        list.push(Fact::new("cpu", cpu, theme.value()));
        let memory = memory.map_or_else(|| "?".into(), format::bytes);
        list.push(Fact::new("memory", memory, theme.value()));
        let restarts: Option<u64> = all.iter().map(|one| one.restarts).sum();
        if restarts != Some(0) {
            list.push(Fact::new("restarts", format::maybe(restarts), theme.warn()));
        }
        self.section("container", &list, 3);
    }
}
