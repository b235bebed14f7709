//! What a whole link costs: bytes and packets a second over a wire, beside a relay and beside plain
//! loopback, in turns in one run: `cargo bench --bench wire`. Figures count only as ratios of one run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: the network wire needs Linux");
}

#[cfg(target_os = "linux")]
fn main() {
    measured::main();
}

#[cfg(target_os = "linux")]
mod measured {
    use std::{
        net::SocketAddr,
        path::Path,
        time::{Duration, Instant},
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };
    use zonedrill::{
        platform::{
            Common,
            identity::Identity,
            local::{
                ports,
                relay::Relay,
                wire::{self, Wire},
            },
        },
        region::{Role, ZonePlan},
    };

    /// How long bytes are sent, and how many rounds.
    const TIME: Duration = Duration::from_secs(3);
    const ROUNDS: usize = 5;
    const PIECE: usize = 64 * 1024;

    /// Sends as much as passes; bytes a second as the receiver counts them.
    async fn fill(mut near: TcpStream, mut far: TcpStream) -> f64 {
        let sending = tokio::spawn(async move {
            let (piece, began) = (vec![7; PIECE], Instant::now());
            while began.elapsed() < TIME {
                near.write_all(&piece).await.unwrap();
            }
        });
        let (mut buffer, mut bytes, began) = (vec![0; PIECE], 0, Instant::now());
        loop {
            match far.read(&mut buffer).await.unwrap() {
                0 => break,
                count => bytes += count,
            }
        }
        sending.await.unwrap();
        bytes as f64 / began.elapsed().as_secs_f64()
    }

    async fn over(listener: &TcpListener, at: SocketAddr) -> f64 {
        let (near, far) = tokio::join!(TcpStream::connect(at), listener.accept());
        fill(near.unwrap(), far.unwrap().0).await
    }

    #[tokio::main]
    pub async fn main() {
        let base = ports::free_base(2).expect("free ports");
        let a = ZonePlan::new("a".parse().unwrap(), Role::Source, 0, base);
        let b = ZonePlan::new("b".parse().unwrap(), Role::Mirror, 1, base);
        let common = Common {
            home: std::env::temp_dir(),
            region: "bench".into(),
            identity: Identity::default(),
            source: a.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let relay = Relay::start(&[here]).await.unwrap();
        let (events, _told) = tokio::sync::mpsc::unbounded_channel();
        let program = Path::new(env!("CARGO_BIN_EXE_zonedrill"));
        let wire = match Wire::start(program, &common, events) {
            Ok(wire) => wire,
            Err(why) => return println!("SKIPPED: {why}"),
        };
        let source = std::sync::Arc::clone(&wire).add(&a).await.unwrap();
        let zone = wire.add(&b).await.unwrap();
        let inside = SocketAddr::from((wire::address(&a, &a.nodes[0]), 7_000));
        let socket = source.socket().await.unwrap();
        socket.bind(inside).unwrap();
        let listening = socket.listen(8).unwrap();

        println!("round  loopback      relay       wire   MB/s; wire: packets a second");
        for round in 1..=ROUNDS {
            let plain = over(&listener, here).await;
            let relayed = over(&listener, relay.addresses()[0]).await;
            let before = zone.stats().await.unwrap().count;
            let near = zone.socket().await.unwrap().connect(inside);
            let (near, far) = tokio::join!(near, listening.accept());
            let wired = fill(near.unwrap(), far.unwrap().0).await;
            let after = zone.stats().await.unwrap().count;
            let came = |count: &zonedrill::region::condition::measured::LinkCount| {
                count.to_zone.packets.came + count.from_zone.packets.came
            };
            let packets = (came(&after) - came(&before)) as f64 / TIME.as_secs_f64();
            let mb = |bytes: f64| bytes / 1e6;
            println!(
                "{round:>5}  {:>8.0}   {:>8.0}   {:>8.1}   {packets:>8.0}",
                mb(plain),
                mb(relayed),
                mb(wired)
            );
        }
    }
}
