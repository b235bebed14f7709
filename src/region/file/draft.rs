//! A first region file, written from what clusters told of themselves.

use std::fmt::{self, Write};

use super::RegionFile;
use crate::region::ZoneName;

/// What stands in the file, and what is told beside it.
#[derive(Clone, Debug)]
pub struct Draft {
    pub name: String,
    pub stream: String,
    /// The source first.
    pub zones: Vec<DraftZone>,
    /// Other streams of the source that are copied by another zone.
    pub candidates: Vec<String>,
}

/// One zone of it.
#[derive(Clone, Debug)]
pub struct DraftZone {
    pub name: ZoneName,
    pub context: String,
    pub stream: String,
    /// Of the cluster it was asked of; where the context says it, the file need not.
    pub domain: Option<String>,
    /// How it copies the source; `None` at the source.
    pub copied: Option<Copied>,
    pub version: String,
    pub replicas: u8,
    /// The consumers of the stream.
    pub consumers: Vec<String>,
}

/// How a stream copies another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    Mirror,
    /// It may hold more than that one stream's messages.
    Sources,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mirror => "mirror",
            Self::Sources => "sources",
        })
    }
}

/// Whether a stream or a consumer may be called so.
#[must_use]
pub fn is_stream_name(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|c: char| {
            c.is_whitespace() || c.is_control() || ['.', '*', '>', '/', '\\'].contains(&c)
        })
}

impl Draft {
    /// The text of the file. What it says can be read back as a [`RegionFile`].
    ///
    /// # Errors
    /// When a name in it cannot stand in a region file.
    pub fn write(&self) -> Result<String, super::FileError> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut out = format!("name = {}\n", quoted(&self.name));
        // Writing to a text does not fail.
        let mut line = |text: String| {
            let _ = writeln!(out, "{text}");
        };
        if let Some(source) = self.zones.first() {
            line(format!("source = {}", quoted(source.name.as_str())));
        }
        line(format!("stream = {}", quoted(&self.stream)));
        if !self.candidates.is_empty() {
            line("# Other streams that are copied between these clusters:".into());
            for candidate in &self.candidates {
                line(format!("#   stream = {}", quoted(candidate)));
            }
        }
        line("# The subject that drills may publish on; without it nothing is published.".into());
        line("# subject = \"…\"".into());
        for zone in &self.zones {
            let kind = zone.copied.map_or("the source".to_owned(), |copied| copied.to_string());
            let (version, replicas) = (&zone.version, zone.replicas);
            line(format!("\n# {kind}, R{replicas}, nats-server {version}"));
            line(format!("[zone.{}]", zone.name));
            line(format!("context = {}", quoted(&zone.context)));
            if let Some(domain) = &zone.domain {
                line(format!("# JetStream domain {domain}"));
            }
            if zone.stream != self.stream {
                line(format!("stream = {}", quoted(&zone.stream)));
            }
            if !zone.consumers.is_empty() {
                let names: Vec<String> = zone.consumers.iter().map(|name| quoted(name)).collect();
                line(format!("# consumers = [{}]", names.join(", ")));
            }
        }
        out.parse::<RegionFile>().map(|_| out)
    }
}
