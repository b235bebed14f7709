//! A publisher as small as one can be, to measure the room's against: one connection, a window,
//! message ids, acknowledgements awaited.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{Arc, Condvar, Mutex},
    time::Instant,
};

use zonedrill::{
    ledger::message::{MessageId, RunId, encode},
    region::{
        access::{Access, USER},
        topology::DRILL_SUBJECT,
    },
};

use crate::{COUNT, SIZE};

const WINDOW: u64 = 4096;

/// Publishes over one raw connection and returns messages a second.
pub fn publish(access: &Access, port: u16, run: &RunId, producer: u32) -> f64 {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    stream.set_nodelay(true).expect("nodelay");
    let mut reader = BufReader::with_capacity(1 << 16, stream.try_clone().expect("a clone"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("INFO");
    // Shared with the reader, which answers the server's pings: a client that does not is dropped.
    let writer = Arc::new(Mutex::new(stream));
    let write = |bytes: &[u8]| {
        writer.lock().expect("no panic").write_all(bytes).expect("the server takes it");
    };
    let hello = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"user\":\"{USER}\",\"pass\":\"{}\",\"name\":\"raw\",\"lang\":\"raw\",\"version\":\"0\"}}\r\nSUB RAW.INBOX 1\r\nPING\r\n",
        access.secrets.client
    );
    write(hello.as_bytes());
    // Waited for, not spun for: a spinning publisher would take a core from the servers.
    let acked = Arc::new((Mutex::new(0_u64), Condvar::new()));
    let counter = Arc::clone(&acked);
    let pong = Arc::clone(&writer);
    let reading = std::thread::spawn(move || {
        let mut line = Vec::new();
        let mut body = Vec::new();
        let mut read = 0;
        while read < COUNT {
            line.clear();
            if reader.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                // Whoever waits must not wait for ever for a server that has gone.
                *counter.0.lock().expect("no panic") = u64::MAX;
                counter.1.notify_one();
                panic!("the server ended the raw connection after {read} acks");
            }
            if line.starts_with(b"PING") {
                let mut writer = pong.lock().expect("no panic");
                writer.write_all(b"PONG\r\n").expect("the server takes it");
            }
            if line.starts_with(b"MSG") {
                let text = String::from_utf8_lossy(&line);
                let size: usize =
                    text.trim().rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a size");
                body.resize(size + 2, 0);
                reader.read_exact(&mut body).expect("an ack");
                assert!(
                    !body.windows(7).any(|w| w == b"\"error\""),
                    "{:?}",
                    String::from_utf8_lossy(&body)
                );
                read += 1;
                if read == COUNT || reader.buffer().is_empty() {
                    *counter.0.lock().expect("no panic") = read;
                    counter.1.notify_one();
                }
            }
        }
    });
    let began = Instant::now();
    let mut out = Vec::with_capacity(1 << 16);
    let mut known = 0;
    for sent in 0..COUNT {
        if sent.saturating_sub(known) >= WINDOW {
            write(&out);
            out.clear();
            let guard = acked.0.lock().expect("no panic");
            let full = |read: &mut u64| sent.saturating_sub(*read) >= WINDOW;
            known = *acked.1.wait_while(guard, full).expect("no panic");
        }
        let id = MessageId { run: run.clone(), producer, number: sent + 1 };
        let payload = encode(&id, 1, SIZE);
        let header = format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n");
        let total = header.len() + payload.len();
        write!(out, "HPUB {DRILL_SUBJECT} RAW.INBOX {} {total}\r\n{header}", header.len())
            .expect("memory");
        out.extend_from_slice(&payload);
        out.extend_from_slice(b"\r\n");
        if out.len() >= 1 << 15 {
            write(&out);
            out.clear();
        }
    }
    write(&out);
    reading.join().expect("all acked");
    COUNT as f64 / began.elapsed().as_secs_f64()
}
