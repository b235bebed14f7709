//! The log: the room's events in a ring, and the same lines in tui-logger's buffer.
//!
//! tui-logger draws the pane (scrolling, levels, selection of targets); its buffer is one for the
//! whole process, so only [`crate::tui::run`] feeds it. With a text filter set, and on a screen
//! that was not started by `run` (a test), the ring is drawn instead, line for line alike.

use std::{collections::VecDeque, fmt};

use jiff::tz::TimeZone;
use ratatui::text::{Line, Span};
use tui_logger::{ExtLogRecord, LevelFilter, LogFormatter, TuiWidgetEvent, TuiWidgetState};

use super::{format, pattern::Pattern, theme::Theme};
use crate::region::{Event, Severity, UnixMs, ZoneName};

/// How many events the ring keeps.
const RING: usize = 2000;
/// Between the parts of a record in tui-logger's buffer; no event's text holds it.
const PART: char = '\u{1f}';
/// Cells of the column that says who or where.
const WHO: usize = 8;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at_ms: UnixMs,
    /// How much attention it asks for.
    pub severity: Severity,
    /// The zone it concerns, if one.
    pub zone: Option<ZoneName>,
    /// Whose hand, or `room`.
    pub who: String,
    pub text: String,
}

impl Entry {
    /// What tui-logger selects by: the zone, or else the actor.
    #[must_use]
    pub fn target(&self) -> String {
        self.zone.as_ref().map_or_else(|| self.who.clone(), ZoneName::long)
    }

    fn passes(&self, filter: &Pattern) -> bool {
        filter.passes(&self.text) || filter.passes(&self.who) || filter.passes(&self.target())
    }
}

impl From<&Event> for Entry {
    fn from(event: &Event) -> Self {
        let text = event.kind.to_string().replace(|c: char| c.is_control() && c != '\n', " ");
        Self {
            at_ms: event.at_ms,
            severity: event.kind.severity(),
            zone: event.kind.zone().cloned(),
            who: event.actor.to_string().replace(char::is_control, " "),
            text,
        }
    }
}

/// The log of one screen.
#[derive(Default)]
pub struct Log {
    ring: VecDeque<Entry>,
    /// The number of the newest event, so that none is taken twice after a reconnect.
    newest: u64,
    /// Only lines that have a hit.
    pub filter: Pattern,
    /// Only lines of this zone.
    pub only: Option<ZoneName>,
    /// How many lines the view is scrolled back, while the ring is drawn.
    scroll: usize,
    widget: Option<Widgets>,
}

/// tui-logger's state of the pane and of the large view.
struct Widgets {
    pane: TuiWidgetState,
    large: TuiWidgetState,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("lines", &self.ring.len())
            .field("filter", &self.filter.text())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Feeds this log to tui-logger's buffer from now on.
    pub fn through_tui_logger(&mut self) {
        tui_logger::set_default_level(LevelFilter::Trace);
        self.widget =
            Some(Widgets { pane: pane_state(self.only.as_ref()), large: TuiWidgetState::new() });
    }

    /// Takes an event, once.
    pub fn push(&mut self, event: &Event) {
        if event.id != 0 && event.id <= self.newest {
            return;
        }
        self.newest = event.id;
        let entry = Entry::from(event);
        if self.widget.is_some() {
            feed(&entry);
        }
        if self.scroll > 0 {
            self.scroll += 1;
        }
        self.ring.push_back(entry);
        if self.ring.len() > RING {
            self.ring.pop_front();
        }
    }

    /// The number of the newest event.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Another room counts its events anew.
    pub fn new_room(&mut self) {
        self.newest = 0;
    }

    /// A replay was wound: these events are all there are.
    pub fn wound(&mut self, events: &[Event]) {
        self.ring.clear();
        self.newest = 0;
        self.scroll = 0;
        for event in events {
            self.push(event);
        }
    }

    /// Limits the log to a zone, or shows all.
    pub fn show_only(&mut self, zone: Option<ZoneName>) {
        self.only = zone;
        self.scroll = 0;
        if let Some(widgets) = &mut self.widget {
            widgets.pane = pane_state(self.only.as_ref());
        }
    }

    /// Scrolls by a page, or (`lines`) by a line of the wheel.
    pub fn scroll(&mut self, back: bool, lines: usize) {
        self.scroll = if back { self.scroll + lines } else { self.scroll.saturating_sub(lines) };
        self.scroll = self.scroll.min(self.ring.len().saturating_sub(1));
        if let Some(widgets) = &self.widget {
            let way = if back { TuiWidgetEvent::PrevPageKey } else { TuiWidgetEvent::NextPageKey };
            widgets.pane.transition(way);
        }
    }

    /// Follows the newest line again.
    pub fn follow(&mut self) {
        self.scroll = 0;
        if let Some(widgets) = &self.widget {
            widgets.pane.transition(TuiWidgetEvent::EscapeKey);
        }
    }

    /// Whether the view is scrolled back.
    #[must_use]
    pub fn is_scrolled(&self) -> bool {
        self.scroll > 0
    }

    /// tui-logger's state of the pane, where it draws it.
    #[must_use]
    pub fn pane(&self) -> Option<&TuiWidgetState> {
        self.widget.as_ref().filter(|_| self.filter.is_empty()).map(|w| &w.pane)
    }

    /// tui-logger's state of the large view.
    #[must_use]
    pub fn large(&self) -> Option<&TuiWidgetState> {
        self.widget.as_ref().map(|w| &w.large)
    }

    /// The entries that pass the filters, newest first.
    fn passing(&self) -> impl Iterator<Item = &Entry> {
        self.ring.iter().rev().filter(|entry| {
            self.only.as_ref().is_none_or(|zone| entry.zone.as_ref() == Some(zone))
                && entry.passes(&self.filter)
        })
    }

    /// How many entries pass the filters.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.passing().count()
    }

    /// Limits the log to what has a hit, from the newest on.
    pub fn search(&mut self, filter: Pattern) {
        self.filter = filter;
        self.follow();
    }

    /// Goes to the next older hit, or the next newer one; the first one follows the last.
    /// Returns which it is, counted from 1.
    pub fn go(&mut self, older: bool) -> usize {
        let hits = self.hits().max(1);
        self.scroll = (self.scroll + if older { 1 } else { hits - 1 }) % hits;
        self.scroll + 1
    }

    /// The last `height` lines that pass the filters, oldest first.
    #[must_use]
    pub fn lines(&self, width: usize, height: usize, look: &Look) -> Vec<Line<'static>> {
        let mut lines: Vec<Line<'static>> = Vec::new();
        for entry in self.passing().skip(self.scroll) {
            let mut wrapped = look.draw(entry, width);
            while let Some(line) = wrapped.pop() {
                lines.push(line);
            }
            if lines.len() >= height {
                break;
            }
        }
        lines.truncate(height);
        lines.reverse();
        lines
    }
}

/// The pane shows what the room says; this process' own tracing is for the large view.
fn pane_state(only: Option<&ZoneName>) -> TuiWidgetState {
    match only {
        None => TuiWidgetState::new(),
        Some(zone) => TuiWidgetState::new()
            .set_default_display_level(LevelFilter::Off)
            .set_level_for_target(&zone.long(), LevelFilter::Trace),
    }
}

/// Hands a line to tui-logger. Its own time would be the time of arrival, so the event's own
/// goes along in the text.
fn feed(entry: &Entry) {
    let level = match entry.severity {
        Severity::Info => log::Level::Info,
        Severity::Warn => log::Level::Warn,
        Severity::Error => log::Level::Error,
    };
    let target = entry.target();
    tui_logger::Drain::new().log(
        &log::Record::builder()
            .level(level)
            .target(&target)
            .args(format_args!("{}{PART}{}{PART}{}", entry.at_ms, entry.who, entry.text))
            .build(),
    );
    tui_logger::move_events();
}

/// How lines look: the same for the ring and for tui-logger.
#[derive(Clone, Debug)]
pub struct Look {
    pub theme: Theme,
    /// For times of day.
    pub zone: TimeZone,
}

impl Look {
    /// An entry as one or more lines of `width` cells.
    #[must_use]
    pub fn draw(&self, entry: &Entry, width: usize) -> Vec<Line<'static>> {
        let target = entry.target();
        self.line(entry.at_ms, entry.severity, &target, &entry.who, &entry.text, width)
    }

    fn line(
        &self,
        at_ms: UnixMs,
        severity: Severity,
        target: &str,
        who: &str,
        text: &str,
        width: usize,
    ) -> Vec<Line<'static>> {
        let theme = &self.theme;
        let style = match severity {
            Severity::Info => theme.value(),
            Severity::Warn => theme.warn(),
            Severity::Error => theme.bad(),
        };
        let flag = match severity {
            Severity::Info => " ",
            Severity::Warn => theme.pick("▲", "!"),
            Severity::Error => theme.pick("✗", "x"),
        };
        let from = if who == "room" { target } else { who };
        let from = format::clip(from, WHO, theme.ellipsis());
        let time = clock(at_ms, &self.zone);
        let head = format!("{time} ");
        let indent = format::width(&head) + WHO + 4;
        let room = width.saturating_sub(indent).max(8);
        let pad = WHO.saturating_sub(format::width(&from)) + 1;
        format::wrap(&theme.say(text), room)
            .into_iter()
            .enumerate()
            .map(|(i, part)| {
                if i == 0 {
                    Line::from(vec![
                        Span::styled(head.clone(), theme.label()),
                        Span::styled(from.clone(), theme.label()),
                        Span::raw(" ".repeat(pad)),
                        Span::styled(format!("{flag} "), style),
                        Span::styled(part, style),
                    ])
                } else {
                    Line::from(vec![Span::raw(" ".repeat(indent - 1)), Span::styled(part, style)])
                }
            })
            .collect()
    }
}

impl LogFormatter for Look {
    fn min_width(&self) -> u16 {
        10
    }

    fn format(&self, width: usize, record: &ExtLogRecord) -> Vec<Line<'_>> {
        let severity = match record.level {
            log::Level::Error => Severity::Error,
            log::Level::Warn => Severity::Warn,
            _ => Severity::Info,
        };
        let mut parts = record.msg().splitn(3, PART);
        let lines = match (parts.next().map(str::parse), parts.next(), parts.next()) {
            (Some(Ok(at)), Some(who), Some(text)) => {
                self.line(at, severity, record.target(), who, text, width)
            }
            // This process' own tracing.
            _ => self.line(
                u64::try_from(record.timestamp.timestamp().as_millisecond()).unwrap_or(0),
                severity,
                record.target().rsplit("::").next().unwrap_or_default(),
                "room",
                record.msg().trim(),
                width,
            ),
        };
        // tui-logger needs at least one line of every record.
        if lines.is_empty() { vec![Line::default()] } else { lines }
    }
}

/// The time of day, `14:03:07`.
#[must_use]
pub fn clock(at_ms: UnixMs, zone: &TimeZone) -> String {
    format::local(at_ms, zone, "%H:%M:%S").unwrap_or_else(|| "--:--:--".into())
}
