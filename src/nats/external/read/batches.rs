//! Batches of direct gets, several under way at the same time: a link with a long way is kept busy, and
//! the servers read on while what came is looked at.

use std::collections::VecDeque;

use async_nats::{Message, Subscriber};
use futures::{FutureExt, StreamExt};
use serde_json::json;
use tokio::time::timeout;

use super::{
    BATCH_BYTES, Got, Source, Trouble,
    message::{Read, direct},
};
use crate::nats::external::attach::PATIENCE;

/// Requests that are under way at the same time, while messages stand close together.
const UNDER_WAY: usize = 3;
/// After so many batches without holes that is tried again.
const DENSE: u32 = 3;

/// The batches of one reading.
pub(super) struct Batches<'a> {
    source: Source<'a>,
    inbox: Option<Inbox>,
    under_way: VecDeque<Asked>,
    /// So many may be.
    most: usize,
    /// Batches without holes in a row.
    dense: u32,
}

struct Inbox {
    name: String,
    messages: Subscriber,
    /// Of the last request.
    number: u64,
}

/// A batch that was asked for.
struct Asked {
    number: u64,
    from: u64,
    /// What is after this was asked for by another request.
    to: u64,
    count: u64,
    /// What the server had refused before.
    refusals: usize,
    messages: Vec<Read>,
    ended: bool,
}

impl<'a> Batches<'a> {
    /// None asked for yet.
    pub(super) fn of(source: Source<'a>) -> Self {
        Self { source, inbox: None, under_way: VecDeque::new(), most: 1, dense: 0 }
    }

    /// The next messages at or after `next`, about `size` of them. After an error begin anew.
    pub(super) async fn next(&mut self, next: u64, to: u64, size: u64) -> Result<Got, Trouble> {
        if self.under_way.front().is_some_and(|front| front.from != next) {
            self.under_way.clear();
        }
        let mut ahead = self.under_way.back().map_or(next, |last| last.to.saturating_add(1));
        while self.under_way.len() < self.most && ahead <= to {
            let count = size.min((to - ahead).saturating_add(1));
            // Alone, a batch brings as many messages as it may, however far apart they are.
            let end = if self.most == 1 { to } else { ahead + count - 1 };
            self.source.pay(count).await;
            self.ask(ahead, end, count).await?;
            ahead = end.saturating_add(1);
        }
        while self.under_way.front().is_some_and(|front| !front.ended) {
            let message = self.receive().await?;
            self.take(message)?;
        }
        let Some(front) = self.under_way.pop_front() else {
            return Ok(Got { messages: Vec::new(), through: next.saturating_sub(1) });
        };
        Ok(self.judge(front))
    }

    async fn ask(&mut self, from: u64, to: u64, count: u64) -> Result<(), Trouble> {
        let client = &self.source.to.client;
        if self.inbox.is_none() {
            let name = client.new_inbox();
            let messages = client.subscribe(format!("{name}.*")).await;
            let messages = messages.map_err(|error| Trouble::Passing(error.to_string()))?;
            self.inbox = Some(Inbox { name, messages, number: 0 });
        }
        let Some(inbox) = &mut self.inbox else {
            return Err(Trouble::Passing("no inbox".into()));
        };
        inbox.number += 1;
        let number = inbox.number;
        let refusals = self.source.to.refusals();
        // Without a limit of bytes, messages that are larger all at once would fill the memory.
        let body = json!({"seq": from, "batch": count, "max_bytes": BATCH_BYTES}).to_string();
        client
            .publish_with_reply(
                self.source.subject(),
                format!("{}.{number}", inbox.name),
                body.into(),
            )
            .await
            .map_err(|error| Trouble::Passing(error.to_string()))?;
        let messages = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        self.under_way.push_back(Asked {
            number,
            from,
            to,
            count,
            refusals,
            messages,
            ended: false,
        });
        Ok(())
    }

    async fn receive(&mut self) -> Result<Message, Trouble> {
        let closed = || Trouble::Passing("the connection was closed".into());
        let (Some(inbox), Some(front)) = (&mut self.inbox, self.under_way.front()) else {
            return Err(closed());
        };
        if let Some(message) = inbox.messages.next().now_or_never() {
            return message.ok_or_else(closed);
        }
        let waiting = timeout(PATIENCE, inbox.messages.next());
        let subject = self.source.subject();
        match self.source.to.or_refused_since(front.refusals, &subject, waiting).await {
            Ok(Ok(message)) => message.ok_or_else(closed),
            Ok(Err(_)) => Err(Trouble::Passing("no answer in time".into())),
            Err(unanswered) => Err(Trouble::of(unanswered)),
        }
    }

    /// Puts a message where it belongs.
    fn take(&mut self, message: Message) -> Result<(), Trouble> {
        let number = message.subject.rsplit('.').next().and_then(|number| number.parse().ok());
        let asked = self.under_way.iter_mut().find(|asked| Some(asked.number) == number);
        // What a batch before these was late with.
        let Some(asked) = asked else { return Ok(()) };
        match message.status.map(|status| status.as_u16()) {
            None | Some(200) => {}
            // The end of the batch; and nothing there.
            Some(204 | 404) => {
                asked.ended = true;
                return Ok(());
            }
            Some(503) => return Err(Trouble::Passing("no replica serves direct gets".into())),
            Some(code) => {
                let text = message.description.unwrap_or_default();
                return Err(Trouble::Passing(format!("{text} ({code})")));
            }
        }
        let Some(read) = direct(message) else {
            return Err(Trouble::Passing("an answer that is no message of a stream".into()));
        };
        if read.stream() != Some(self.source.stream) {
            return Err(Trouble::AnotherAnswers);
        }
        if read.seq < asked.from || asked.messages.last().is_some_and(|last| last.seq >= read.seq) {
            return Err(Trouble::Passing("messages came out of order".into()));
        }
        asked.messages.push(read);
        Ok(())
    }

    /// What a batch brought of what it was asked for, and whether several may be under way.
    fn judge(&mut self, asked: Asked) -> Got {
        let Asked { from, to, count, mut messages, .. } = asked;
        let last = messages.last().map_or(from.saturating_sub(1), |last| last.seq);
        let (held, spans) = (messages.len() as u64, (last + 1).saturating_sub(from));
        self.dense = if held == count && spans == count { self.dense + 1 } else { 0 };
        if self.dense >= DENSE {
            self.most = UNDER_WAY;
        } else if held < count || spans > 2 * count {
            // Messages stand far apart, or are large, or there are no more.
            self.most = 1;
        }
        messages.retain(|message| message.seq <= to);
        Got { messages, through: last.min(to) }
    }
}
