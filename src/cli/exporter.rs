//! `observe --metrics`: a region's status for dashboards, over HTTP, without a screen.

use std::{convert::Infallible, net::SocketAddr};

use color_eyre::eyre::{self, WrapErr};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Bytes, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    time::{Duration, sleep},
};

use super::output::tell;
use crate::{
    region::{Status, status::metrics},
    room::{
        client::Client,
        home::Home,
        protocol::{ClientKind, Message},
    },
    tui::FromRoom,
};

/// What a scraper is told that it gets.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long between two tries to find the room again.
const RETRY: Duration = Duration::from_secs(1);
/// Connections that are served at the same time.
const AT_ONCE: usize = 32;

/// What was seen last, while it is seen.
type Seen = Option<Box<Status>>;

/// Serves the metrics of the region of a room until it is interrupted. While no room runs, they say
/// that the region is not seen.
///
/// # Errors
/// When nobody can listen there.
pub async fn of_room(home: &Home, name: &str, at: SocketAddr) -> eyre::Result<u8> {
    let (tell, seen) = watch::channel(None);
    let listener = listen(at).await?;
    let (home, name, region) = (home.clone(), name.to_owned(), home.region.clone());
    let following = tokio::spawn(async move {
        loop {
            if let Ok(mut client) = Client::connect(&home, &name, ClientKind::Watch, true).await {
                while let Ok(message) = client.next().await {
                    if let Message::Status { status } = message {
                        tell.send_replace(Some(status));
                    }
                }
            }
            tell.send_replace(None);
            sleep(RETRY).await;
        }
    });
    let served = serve(&listener, &region, seen).await;
    following.abort();
    served
}

/// Serves the metrics of what is told of a region of others.
///
/// # Errors
/// When nobody can listen there.
pub async fn of_others(
    region: &str,
    mut told: mpsc::Receiver<FromRoom>,
    at: SocketAddr,
) -> eyre::Result<u8> {
    let (tell, seen) = watch::channel(None);
    let listener = listen(at).await?;
    let following = tokio::spawn(async move {
        while let Some(told) = told.recv().await {
            if let FromRoom::Message(Message::Status { status }) = told {
                tell.send_replace(Some(status));
            }
        }
    });
    let served = serve(&listener, region, seen).await;
    following.abort();
    served
}

async fn listen(at: SocketAddr) -> eyre::Result<TcpListener> {
    let listener = TcpListener::bind(at)
        .await
        .wrap_err_with(|| format!("nobody can listen at {at}: name another address and port"))?;
    tell(&format!("metrics at http://{}/metrics", listener.local_addr()?));
    Ok(listener)
}

async fn serve(
    listener: &TcpListener,
    region: &str,
    seen: watch::Receiver<Seen>,
) -> eyre::Result<u8> {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    loop {
        let place = places.clone().acquire_owned().await?;
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                return Ok(0);
            }
        };
        // Out of files, or a caller that is gone: the next may be served.
        let Ok(stream) = stream else {
            sleep(RETRY).await;
            continue;
        };
        let (region, seen) = (region.to_owned(), seen.clone());
        tokio::spawn(async move {
            let answer = service_fn(|asked| std::future::ready(answer(&asked, &region, &seen)));
            let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            // A scraper that breaks off is no concern of anybody.
            let _ = tokio::time::timeout(Duration::from_secs(30), serving).await;
            drop(place);
        });
    }
}

fn answer<T>(
    asked: &Request<T>,
    region: &str,
    seen: &watch::Receiver<Seen>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let said = |code: StatusCode, kind: &'static str, text: String| {
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = code;
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
        Ok(response)
    };
    let plain = "text/plain; charset=utf-8";
    if asked.uri().path() != "/metrics" || asked.method() != Method::GET {
        return said(StatusCode::NOT_FOUND, plain, "GET /metrics\n".into());
    }
    let text = metrics(region, seen.borrow().as_deref());
    match text {
        Ok(text) => said(StatusCode::OK, OPEN_METRICS, text),
        Err(error) => said(StatusCode::INTERNAL_SERVER_ERROR, plain, error.to_string()),
    }
}
