//! A client of the room by hand: one end of its socket.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    time::Instant,
};

use serde_json::{Value, json};
use zonedrill::room::protocol::PROTOCOL;

use super::{region::Region, screen::DEADLINE};

/// One end of the socket.
pub struct Caller {
    pub lines: BufReader<UnixStream>,
    next: u64,
}

impl Caller {
    pub fn connect(region: &Region) -> Self {
        let stream = UnixStream::connect(region.folder().join("room.sock")).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { lines: BufReader::new(stream), next: 1 }
    }

    /// Greets; returns the room's greeting as well.
    pub fn greet(region: &Region, name: &str, more: &Value) -> (Self, Value) {
        let mut caller = Self::connect(region);
        let mut hello = json!({
            "type": "hello", "protocol": PROTOCOL, "name": name, "client": "screen",
            "observe": false, "guest": false, "token": format!("{name}'s"),
        });
        for (key, value) in more.as_object().unwrap() {
            hello[key] = value.clone();
        }
        caller.send(format!("{hello}\n").as_bytes());
        let hello = caller.next().unwrap();
        assert_eq!(hello["type"], "hello", "{hello}");
        (caller, hello)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // The room may have closed already, having read enough.
        let _ = self.lines.get_mut().write_all(bytes);
    }

    pub fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    pub fn until(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let message = self.next().expect("the connection is open");
            if wanted(&message) {
                return message;
            }
            assert!(start.elapsed() < DEADLINE, "not among what came");
        }
    }

    /// Gives a line; returns its outcome and text.
    pub fn give(&mut self, line: &str) -> (String, String) {
        let id = self.next;
        self.next += 1;
        let request = json!({ "type": "command", "id": id, "line": line });
        self.send(format!("{request}\n").as_bytes());
        let answer = self.until(|m| m["type"] == "answer" && m["id"] == id);
        let word = |key: &str| answer[key].as_str().unwrap().to_owned();
        (word("outcome"), word("text"))
    }

    #[track_caller]
    pub fn refused(&mut self, line: &str, why: &str) {
        let (outcome, text) = self.give(line);
        assert_eq!(outcome, "refused", "{line}: {text}");
        assert!(text.contains(why), "{line}: {text}");
    }

    #[track_caller]
    pub fn done(&mut self, line: &str) {
        let (outcome, text) = self.give(line);
        assert_eq!(outcome, "done", "{line}: {text}");
    }

    /// Asks for control; the answer comes when it is decided.
    pub fn ask(&mut self) -> u64 {
        let id = self.next;
        self.next += 1;
        let request = json!({ "type": "command", "id": id, "line": "control ask" });
        self.send(format!("{request}\n").as_bytes());
        self.until(|m| m["type"] == "progress" && m["id"] == id);
        id
    }

    /// Waits for the answer to what was asked for.
    #[track_caller]
    pub fn hears(&mut self, id: u64, outcome: &str, text: &str) {
        let answer = self.until(|m| m["type"] == "answer" && m["id"] == id);
        assert_eq!((&answer["outcome"], &answer["text"]), (&json!(outcome), &json!(text)));
    }

    /// Waits for a picture with these screens: names, with `*` for who drives and `-` for who is
    /// away.
    #[track_caller]
    pub fn sees(&mut self, wanted: &[&str]) {
        let mut last = Vec::new();
        let start = Instant::now();
        while start.elapsed() < DEADLINE {
            let message = self.next().expect("the connection is open");
            if message["type"] != "status" {
                continue;
            }
            last = message["status"]["screens"]
                .as_array()
                .unwrap()
                .iter()
                .map(|screen| {
                    let drives = if screen["drives"] == true { "*" } else { "" };
                    let away = if screen["place_ends_at_ms"].is_null() { "" } else { "-" };
                    format!("{drives}{away}{}", screen["name"].as_str().unwrap())
                })
                .collect();
            if last == wanted {
                return;
            }
        }
        panic!("never {wanted:?}, at last {last:?}");
    }
}

pub fn nothing() -> Value {
    json!({})
}
