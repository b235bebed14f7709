//! A request over a link: from a client in a mirror zone to the source's JetStream, and back.

use std::time::{Duration, Instant};

use async_nats::{Client, RequestErrorKind, client::Request};

use crate::region::{ZonePlan, topology::STREAM};

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was answered after so long.
    After(Duration),
    /// Nobody answered in time.
    None,
    /// The zone has no connection to the source, or the client none to the zone.
    NoLink,
}

/// Asks the source for its stream, over the link of the client's zone. It is the one thing that
/// every zone may ask.
pub async fn over_link(client: &Client, source: &ZonePlan, patience: Duration) -> Answer {
    let subject = format!("$JS.{}.API.STREAM.INFO.{STREAM}", source.domain());
    let began = Instant::now();
    let request = Request::new().timeout(Some(patience));
    match client.send_request(subject, request).await {
        Ok(_) => Answer::After(began.elapsed()),
        Err(error) if error.kind() == RequestErrorKind::TimedOut => Answer::None,
        Err(_) => Answer::NoLink,
    }
}
