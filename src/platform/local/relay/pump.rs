//! One direction of a connection.
//!
//! A whole direction is carried as it comes, from one read to one write. Under a condition every
//! read is a piece that is put on the line and written when it arrives; what the line does not take
//! stays with the sender, so that no more than [`MOST`] bytes wait here.

use std::{collections::VecDeque, io, ops::Range, time::Duration};

use rustix::{io::ioctl_fionread, net::Shutdown, net::sockopt::set_socket_recv_buffer_size};
use tokio::{net::TcpStream, sync::watch, time::Instant};

use super::{Direction, Shared, State, Way};
use crate::{platform::local::line::piece, region::topology::CutKind};

/// One read's worth; a catch-up of thousands of messages goes in few system calls.
pub(super) const BUFFER: usize = 64 * 1024;
/// The most bytes a connection has under way in one direction: what a line of 100 Mbit/s carries in
/// 300 ms.
pub(super) const MOST: usize = 4 * 1024 * 1024;
/// How often it is looked how much waits at a direction that takes nothing.
const LOOK: Duration = Duration::from_millis(100);
/// The kernel takes no more for a thin line than this, and what it carries in this time: else a
/// backlog waits in the receiver's buffer that no router would hold.
const LEAST_WINDOW: usize = 16 * 1024;
const WINDOW: Duration = Duration::from_millis(100);
/// What a connection's receive buffer is set to when its line is not thin any more; the kernel
/// takes as much of it as it allows.
const WIDE_WINDOW: usize = 4 * 1024 * 1024;

/// Something that was read and has not arrived.
struct Piece {
    bytes: Vec<u8>,
    /// Of them, what was written.
    written: usize,
    read_at: Instant,
    due: Instant,
}

/// One direction of a connection.
pub(super) struct Pump<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    shared: &'a Shared,
    epoch: u64,
    direction: Direction,
    state: watch::Receiver<State>,
    buffer: Vec<u8>,
    /// Read in the plain way, and not written.
    held: Range<usize>,
    /// Under way through a condition, the oldest first.
    pieces: VecDeque<Piece>,
    /// When the sender's end arrives, if it has ended.
    end_due: Option<Instant>,
    /// Under which condition the pieces were booked.
    asked: u64,
    /// What this connection adds to what the line counts as queued.
    queued: u64,
    /// The receive buffer was made small.
    narrow: bool,
}

impl Drop for Pump<'_> {
    fn drop(&mut self) {
        self.shared.line(self.direction).queue(self.queued, 0);
    }
}

impl<'a> Pump<'a> {
    pub fn new(
        from: &'a TcpStream,
        to: &'a TcpStream,
        shared: &'a Shared,
        epoch: u64,
        direction: Direction,
    ) -> Self {
        Self {
            from,
            to,
            shared,
            epoch,
            direction,
            state: shared.state.subscribe(),
            buffer: vec![0; BUFFER],
            held: 0..0,
            pieces: VecDeque::new(),
            end_due: None,
            asked: 0,
            queued: 0,
            narrow: false,
        }
    }

    /// Carries until the end. Errors when either side breaks or the link is refused.
    pub async fn run(mut self) -> io::Result<()> {
        loop {
            // While a silent cut lasts, neither side is touched: not read, not written, not closed.
            let now = *self
                .state
                .wait_for(|state| state.cut != Some(CutKind::Silent))
                .await
                .map_err(|_| severed())?;
            if now.epoch != self.epoch {
                return Err(severed());
            }
            let way = now.way(self.direction);
            let ended = if way.silent {
                self.keep_silent().await?
            } else if way.is_whole() && self.pieces.is_empty() && self.end_due.is_none() {
                self.plain().await?
            } else {
                self.shaped(way, now.asked).await?
            };
            if ended {
                // A half-closed connection goes on in the other direction.
                rustix::net::shutdown(self.to, Shutdown::Write)?;
                return Ok(());
            }
        }
    }

    /// Moves once, as it comes. True at the end.
    async fn plain(&mut self) -> io::Result<bool> {
        if self.narrow || self.queued > 0 {
            self.set_window(None);
            self.count_queued(0);
        }
        let (from, to, empty) = (self.from, self.to, self.held.is_empty());
        let ready = async { if empty { from.readable().await } else { to.writable().await } };
        tokio::select! {
            ready = ready => ready?,
            changed = self.state.changed() => return changed.map(|()| false).map_err(|_| severed()),
        }
        let passing = self.state.borrow();
        let whole = passing.way(self.direction).is_whole();
        if passing.cut.is_some() || passing.epoch != self.epoch || !whole {
            return Ok(false);
        }
        let moved = if empty {
            from.try_read(&mut self.buffer)
        } else {
            to.try_write(&self.buffer[self.held.clone()])
        };
        match moved {
            Ok(0) if empty => return Ok(true),
            Ok(count) if empty => self.held = 0..count,
            Ok(count) => {
                self.shared.line(self.direction).pass(count);
                self.held.start += count;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// Touches neither side, and looks how much waits.
    async fn keep_silent(&mut self) -> io::Result<bool> {
        self.count_waiting();
        tokio::select! {
            changed = self.state.changed() => changed.map_err(|_| severed())?,
            () = tokio::time::sleep(LOOK) => {}
        }
        Ok(false)
    }

    /// Moves once, through what is asked of the direction. True at the end.
    async fn shaped(&mut self, way: Way, asked: u64) -> io::Result<bool> {
        let now = Instant::now();
        self.rebook(&way, asked, now);
        self.count_waiting();
        let due = self.pieces.front().map(|piece| piece.due).or(self.end_due);
        let arrives = due.filter(|due| *due > now);
        if due.is_some_and(|due| due <= now) && self.pieces.is_empty() {
            return Ok(true);
        }
        let full = self.shared.line(self.direction).full_for(now);
        let room = self.end_due.is_none() && self.bytes() < MOST;
        let reads = room && full.is_none() && !way.is_whole();
        let writes = due.is_some() && arrives.is_none();
        let again = arrives.into_iter().chain(full.filter(|_| room).map(|left| now + left)).min();
        let (from, to) = (self.from, self.to);
        tokio::select! {
            changed = self.state.changed() => return changed.map(|()| false).map_err(|_| severed()),
            ready = to.writable(), if writes => ready?,
            ready = from.readable(), if reads => ready?,
            () = sleep_until(again), if again.is_some() => return Ok(false),
        }
        let passing = self.state.borrow();
        if passing.cut.is_some() || passing.epoch != self.epoch || passing.asked != asked {
            return Ok(false);
        }
        let line = self.shared.line(self.direction);
        if writes && let Some(piece) = self.pieces.front_mut() {
            match to.try_write(&piece.bytes[piece.written..]) {
                Ok(count) => {
                    if piece.written == 0 && !way.is_whole() {
                        line.held(piece.read_at.elapsed());
                    }
                    line.pass(count);
                    piece.written += count;
                    if piece.written == piece.bytes.len() {
                        self.pieces.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if reads {
            let most = piece(&way, BUFFER);
            match from.try_read(&mut self.buffer[..most]) {
                Ok(count) => {
                    let read_at = Instant::now();
                    let after = self.pieces.back().map(|last| last.due);
                    let due = line.book(&way, count, read_at).max(after.unwrap_or(read_at));
                    if count == 0 {
                        self.end_due = Some(due);
                    } else {
                        let bytes = self.buffer[..count].to_vec();
                        self.pieces.push_back(Piece { bytes, written: 0, read_at, due });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Puts what is under way on the line anew if another condition is asked; at a whole one it has
    /// arrived.
    fn rebook(&mut self, way: &Way, asked: u64, now: Instant) {
        if !self.held.is_empty() {
            let bytes = self.buffer[std::mem::take(&mut self.held)].to_vec();
            self.pieces.push_front(Piece { bytes, written: 0, read_at: now, due: now });
        }
        if self.asked == asked {
            return;
        }
        self.asked = asked;
        let line = self.shared.line(self.direction);
        let mut last = now;
        for piece in &mut self.pieces {
            let left = piece.bytes.len() - piece.written;
            last = if way.is_whole() { now } else { line.book(way, left, now).max(last) };
            (piece.due, piece.read_at) = (last, now);
        }
        self.end_due = self.end_due.map(|_| last);
        self.set_window(way.rate_bps.map(|rate| {
            let bytes = u128::from(rate.bytes()) * WINDOW.as_millis() / 1000;
            usize::try_from(bytes).unwrap_or(WIDE_WINDOW).clamp(LEAST_WINDOW, WIDE_WINDOW)
        }));
    }

    /// Bounds what the kernel takes from the sender; `None` as much as it likes.
    fn set_window(&mut self, bytes: Option<usize>) {
        if bytes.is_some() || self.narrow {
            // Only the depth of a queue; a kernel that refuses keeps a deeper one.
            let _ = set_socket_recv_buffer_size(self.from, bytes.unwrap_or(WIDE_WINDOW));
        }
        self.narrow = bytes.is_some();
    }

    fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.len() - piece.written).sum()
    }

    /// Counts what has come and has not passed, here and in the socket.
    fn count_waiting(&mut self) {
        let socket = ioctl_fionread(self.from).unwrap_or(0);
        let here = self.bytes() + self.held.len();
        self.count_queued(socket + here as u64);
    }

    fn count_queued(&mut self, queued: u64) {
        self.shared.line(self.direction).queue(std::mem::replace(&mut self.queued, queued), queued);
    }
}

fn severed() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

async fn sleep_until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment).await;
    }
}
