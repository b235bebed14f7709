//! Reads a stream of others in order, at a bounded rate and in bounded memory, and changes nothing: by
//! direct gets in batches, or one message at a time from the stream's leader.

mod batches;
pub(in crate::nats) mod message;

use std::{fmt, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use self::{
    batches::Batches,
    message::{Answer, Read},
};
use super::attach::{Attached, Unanswered};
use crate::{
    ledger::copies::Item,
    nats::{
        api::{self, Failure},
        pace::Budget,
        renumbering::sourced,
    },
    region::{
        external::Reading,
        rights::{Dealings, meets},
    },
};

/// The most messages of one request.
const BATCH: u64 = 1000;
/// The first batch, while nobody knows how large messages are.
const FIRST_BATCH: u64 = 16;
/// Bytes of a batch, reckoned by the largest message so far.
const BATCH_BYTES: u64 = 2 * 1024 * 1024;
/// Single messages that are asked for at the same time.
const AT_ONCE: u64 = 32;
/// How long a stream is asked again before it is believed that it has no more: a replica may lag.
const LAGGING: Duration = Duration::from_secs(3);
/// How long a zone may not answer before the reading has failed.
const STALLED: Duration = Duration::from_secs(15);
/// The pause before trying again.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a stream could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadError {
    pub next: u64,
    pub why: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it could not be read past sequence {}: {}", self.next, self.why)
    }
}

/// A stream, and how it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub to: &'a Attached,
    pub stream: &'a str,
    pub reading: Reading,
    /// Only messages that were sourced from the stream of this name, by their sequences there.
    pub sourced_from: Option<&'a str>,
    /// Only messages whose subjects one of these has; all if there is none.
    pub only: &'a [String],
    /// What may be read in its zone; without limit if none.
    pub budget: Option<&'a Budget>,
}

/// What is sent on: messages in order, in small lots.
pub(super) type Lots = mpsc::Receiver<Result<Vec<Item>, ReadError>>;

impl Source<'_> {
    fn subject(&self) -> String {
        let dealings = Dealings {
            api: self.to.api.clone(),
            stream: self.stream.to_owned(),
            direct: self.reading == Reading::Batch,
            ..Dealings::default()
        };
        dealings.get()
    }

    /// Reads the messages from `from` to `to` and sends them on. Ends when nobody takes them.
    pub async fn read(&self, from: u64, to: u64, lots: mpsc::Sender<Result<Vec<Item>, ReadError>>) {
        self.read_as(|one| self.boiled_down(one), (from, to), lots).await;
    }

    /// The same of what `boil` makes of a message; nothing of those that are not wanted.
    pub async fn read_as<T>(
        &self,
        boil: impl Fn(&Read) -> Option<T>,
        (from, to): (u64, u64),
        lots: mpsc::Sender<Result<Vec<T>, ReadError>>,
    ) {
        let mut next = from.max(1);
        let most = self.budget.map_or(BATCH, |budget| budget.at_once(BATCH));
        let (mut batch, mut largest) = (FIRST_BATCH.min(most), 1);
        let mut source = *self;
        let mut batches = Batches::of(source);
        let (mut moved, mut ended) = (Instant::now(), None);
        while next <= to {
            let got = match source.reading {
                Reading::Batch => batches.next(next, to, batch).await,
                Reading::Single => source.singles(next, batch.min(to - next + 1)).await,
            };
            match got {
                Ok(got) if got.messages.is_empty() && got.through < next => {
                    // There is nothing more, or this replica does not have it yet.
                    let since = *ended.get_or_insert_with(Instant::now);
                    if since.elapsed() >= LAGGING {
                        return;
                    }
                    sleep(PAUSE).await;
                }
                Ok(got) => {
                    (moved, ended) = (Instant::now(), None);
                    next = got.through + 1;
                    let sizes = got.messages.iter().map(|one| one.payload.len() as u64);
                    largest = sizes.fold(largest, u64::max);
                    batch = (2 * batch).min(BATCH_BYTES / largest).clamp(1, most);
                    let items: Vec<T> =
                        got.messages.iter().filter(|one| one.seq <= to).filter_map(&boil).collect();
                    if !items.is_empty() && lots.send(Ok(items)).await.is_err() {
                        return;
                    }
                }
                Err(Trouble::AnotherAnswers) => source.reading = Reading::Single,
                Err(why) => {
                    batches = Batches::of(source);
                    if moved.elapsed() >= STALLED || why.is_final() {
                        let _ = lots.send(Err(ReadError { next, why: why.to_string() })).await;
                        return;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn boiled_down(&self, read: &Read) -> Option<Item> {
        if !self.only.is_empty() && !self.only.iter().any(|only| meets(only, read.subject())) {
            return None;
        }
        let origin = match self.sourced_from {
            None => read.seq,
            Some(stream) => sourced(read.source()?, stream)?,
        };
        Some(Item::new(read.seq, origin, read.subject(), read.id(), &read.payload))
    }

    /// The first message at or after a sequence, boiled down, with its time.
    pub async fn at(&self, seq: u64) -> Result<Option<(Item, Option<Timestamp>)>, ReadError> {
        let mut next = seq;
        // Of a stream with other messages as well, the first of ours.
        for _ in 0..BATCH {
            let failed = |why: Trouble| ReadError { next, why: why.to_string() };
            if self.reading == Reading::Single {
                self.pay(1).await;
            }
            let got = match self.reading {
                Reading::Batch => match Batches::of(*self).next(next, u64::MAX, 1).await {
                    Err(Trouble::AnotherAnswers) => self.after(next).await,
                    got => got,
                },
                Reading::Single => self.after(next).await,
            };
            let Some(read) = got.map_err(failed)?.messages.into_iter().next() else {
                return Ok(None);
            };
            if let Some(item) = self.boiled_down(&read) {
                return Ok(Some((item, read.time())));
            }
            next = read.seq + 1;
        }
        Ok(None)
    }

    /// Messages one by one, several under way; after a hole the next one there is.
    async fn singles(&self, next: u64, count: u64) -> Result<Got, Trouble> {
        let count = count.min(AT_ONCE);
        self.pay(count).await;
        let asked = stream::iter(next..next + count).map(|seq| self.single(json!({"seq": seq})));
        let answers: Vec<_> = asked.buffered(AT_ONCE as usize).collect().await;
        let mut messages = Vec::with_capacity(answers.len());
        for answer in answers {
            messages.extend(answer?);
        }
        if messages.is_empty() {
            self.pay(1).await;
            return self.after(next + count).await;
        }
        Ok(Got { messages, through: next + count - 1 })
    }

    /// Waits until so many messages may be asked for.
    async fn pay(&self, messages: u64) {
        if let Some(budget) = self.budget {
            budget.pay(messages).await;
        }
    }

    /// The first message at or after a sequence.
    async fn after(&self, seq: u64) -> Result<Got, Trouble> {
        let message = self.single(json!({"seq": seq, "next_by_subj": ">"})).await?;
        let through = message.as_ref().map_or(0, |message| message.seq);
        Ok(Got { messages: message.into_iter().collect(), through })
    }

    async fn single(&self, body: serde_json::Value) -> Result<Option<Read>, Trouble> {
        let subject = Source { reading: Reading::Single, ..*self }.subject();
        match self.to.ask::<Answer>(&subject, &body).await {
            Ok(answer) => match answer.message.read() {
                Some(read) => Ok(Some(read)),
                None => Err(Trouble::Passing("an answer that is no base64".into())),
            },
            Err(Unanswered::Other(Failure::Api(error))) if error.err_code == api::NO_MESSAGE => {
                Ok(None)
            }
            Err(unanswered) => Err(Trouble::of(unanswered)),
        }
    }
}

/// A lot of messages.
struct Got {
    messages: Vec<Read>,
    /// Up to here everything that there is has been read.
    through: u64,
}

/// What kept a lot from being read.
enum Trouble {
    /// It may go in a moment.
    Passing(String),
    Final(String),
    /// A mirror of the stream answers for it: only the stream's leader can be believed.
    AnotherAnswers,
}

impl Trouble {
    fn of(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Forbidden(violation) => Self::Final(format!(
                "it is not permitted to {violation}; `doctor` says what is missing"
            )),
            Unanswered::Other(failure) => Self::Passing(failure.words()),
        }
    }

    fn is_final(&self) -> bool {
        matches!(self, Self::Final(_))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(why) | Self::Final(why) => f.write_str(why),
            Self::AnotherAnswers => f.write_str("a mirror of it answers in its stead"),
        }
    }
}
