//! Bundles that somebody made or altered who knows how they are made: no panic, no verdict greener
//! than the truth, and none keeps `verify` busy.
//!
//! `ZONEDRILL_FUZZ_SEED` begins with another seed, `ZONEDRILL_FUZZ_CASES` tries more.

use std::time::Duration;

use crate::support::{
    forged::{Honest, LEDGER, bare, counted, sealed},
    laws::Fault,
};
use zonedrill::{ledger::LONGEST_RUN, region::status::Verdict};

/// A verification costs at most this much processor time, or as many times what the honest one
/// costs: in a build without optimisation everything costs more. A line may be about each of the 64
/// zones that there may be, and the honest bundle has two.
const LONGEST: Duration = Duration::from_secs(1);
const TIMES: u32 = 200;

/// Random numbers from a seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A number that finds the ends of something.
    fn edge(&mut self) -> u64 {
        let near = self.next() % 300;
        *self.pick(&[
            near,
            near,
            near,
            0,
            1,
            LONGEST_RUN,
            LONGEST_RUN + 1,
            u64::from(u32::MAX),
            1 << 40,
            u64::MAX - near,
            u64::MAX,
        ])
    }
}

fn from_env(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A forgery: files with other content, and whether it must be found out.
struct Forgery {
    what: String,
    files: Vec<(String, Vec<u8>)>,
    damaging: bool,
}

#[track_caller]
fn check(honest: &Honest, forgery: &Forgery, seed: &str) -> Verdict {
    let (verified, took) = honest.verify_with(&forgery.files);
    let limit = LONGEST.max(TIMES * honest.took);
    let case = format!("{seed}, {}: {}", honest.name, forgery.what);
    assert!(took < limit, "{case}: took {took:?}, the honest one {:?}", honest.took);
    let Ok(verified) = verified else { return Verdict::Void };
    if verified.to_string().contains("a check crashes") {
        println!("CRASH {case}");
    }
    let proved = verified.verdict == Some(Verdict::Proved);
    let green = verified.exit_code() == 0;
    let truth = honest.verdict == Verdict::Proved && !forgery.damaging;
    assert!(truth || (!proved && !green), "{case}:\n{verified}");
    verified.verdict.unwrap_or(Verdict::Void)
}

/// Does something to a text, byte by byte.
fn spoil(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len());
    let to = (at + random.below(40)).min(bytes.len());
    match random.below(5) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => drop(bytes.drain(at..to)),
        2 => bytes.truncate(at),
        3 => {
            let piece = bytes[at..to].to_vec();
            let into = random.below(bytes.len());
            bytes.splice(into..into, piece);
        }
        _ => bytes[at] = *random.pick(b"0123456789-\"{}[],:\n\0\xff"),
    }
}

/// Does something to lines.
fn shuffle(random: &mut Random, lines: &mut Vec<String>) {
    let (at, other) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(5) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(other, lines[at].clone()),
        2 => lines.swap(at, other),
        3 => lines.truncate(at),
        _ => renumber(random, &mut lines[at]),
    }
}

/// Puts another number in the place of one.
fn renumber(random: &mut Random, line: &mut String) {
    let digits: Vec<usize> = line
        .char_indices()
        .filter(|(at, c)| {
            c.is_ascii_digit() && (*at == 0 || !line.as_bytes()[at - 1].is_ascii_digit())
        })
        .map(|(at, _)| at)
        .collect();
    if digits.is_empty() {
        return;
    }
    let at = *random.pick(&digits);
    let end = line[at..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |end| at + end);
    line.replace_range(at..end, &random.edge().to_string());
}

/// A line of a ledger that no room wrote.
fn invented(random: &mut Random, at: u64) -> String {
    let (n, c, s) = (random.edge(), random.edge(), random.edge());
    let p = random.edge() & u64::from(u32::MAX);
    let z = *random.pick(&["a", "b", "c", "zz"]);
    match random.below(11) {
        0 => format!(r#"{{"k":"intend","p":{p},"n":{n},"c":{c},"at":{at}}}"#),
        1 => format!(r#"{{"k":"acked","p":{p},"n":{n},"c":{c},"s":{s},"d":"zone-a","at":{at}}}"#),
        2 => format!(r#"{{"k":"withdrawn","p":{p},"n":{n},"c":{c},"at":{at}}}"#),
        3 => format!(r#"{{"k":"failed","p":{p},"n":{n},"c":{c},"why":"no","at":{at}}}"#),
        4 => format!(r#"{{"k":"unknown","p":{p},"n":{n},"c":{c},"at":{at}}}"#),
        5 => format!(r#"{{"k":"resent","p":{p},"n":{n},"c":{c},"at":{at}}}"#),
        6 => format!(r#"{{"k":"corrupt","z":"{z}","s":{s},"why":"no","at":{at}}}"#),
        7 => format!(r#"{{"k":"foreign","z":"{z}","s":{s},"at":{at}}}"#),
        8 => format!(r#"{{"k":"cut-short","after":{n},"lost":{c},"at":{at}}}"#),
        9 => format!(r#"{{"k":"zone-removed","z":"{z}","at":{at}}}"#),
        _ => format!(
            r#"{{"k":"received","z":"{z}","p":{p},"n":{n},"s":{s},"c":{c},"r":{},"at":{at}}}"#,
            random.edge()
        ),
    }
}

/// A line of a stream's file that no room wrote.
fn invented_stream(random: &mut Random) -> String {
    let (a, b, c) = (random.edge(), random.edge(), random.edge());
    match random.below(5) {
        0 => format!("b {a} {b:016x} {c}"),
        1 => format!("p {a}"),
        2 => format!("r {a} {b} {c} {}", random.edge()),
        3 => format!("m {a} {b}"),
        _ => format!("{} {a} {b}", random.pick(&["c", "f", "s"])),
    }
}

fn forgery(random: &mut Random, honest: &Honest) -> Forgery {
    let (ledger, stream) = (honest.lines(LEDGER), random.pick(&honest.named(".txt")).clone());
    let record = honest.named("drill.jsonl").remove(0);
    let mut bundle = Forgery { what: String::new(), files: Vec::new(), damaging: false };
    match random.below(9) {
        0 => {
            let names: Vec<&String> = honest.files.keys().collect();
            let name = (*random.pick(&names)).clone();
            let mut bytes = honest.files[&name].clone();
            spoil(random, &mut bytes);
            bundle.what = format!("bytes of {name}");
            bundle.files.push((name, bytes));
        }
        1 | 2 => {
            let mut lines: Vec<String> = ledger.iter().map(|line| bare(line)).collect();
            for _ in 0..=random.below(3) {
                shuffle(random, &mut lines);
                if lines.is_empty() {
                    break;
                }
            }
            bundle.what = "lines of the ledger, digests anew".into();
            bundle.files.push((LEDGER.into(), sealed(&lines)));
        }
        3 => {
            let mut lines = ledger.clone();
            shuffle(random, &mut lines);
            // Its end can go without the digests' notice, and what is written is what was there.
            bundle.damaging = lines != ledger && !ledger.starts_with(&lines);
            bundle.what = "lines of the ledger, digests as they were".into();
            let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
            bundle.files.push((LEDGER.into(), text.into_bytes()));
        }
        4 | 5 => {
            let mut lines: Vec<String> = ledger.iter().map(|line| bare(line)).collect();
            for _ in 0..=random.below(4) {
                let line = invented(random, 1_000_000);
                bundle.what.extend([&line, " "]);
                lines.insert(1 + random.below(lines.len()), line);
            }
            bundle.files.push((LEDGER.into(), sealed(&lines)));
        }
        6 => {
            let mut lines = honest.lines(&stream);
            lines.pop();
            shuffle(random, &mut lines);
            bundle.what = format!("lines of {stream}");
            bundle.files.push((stream, counted(&lines)));
        }
        7 => {
            let mut lines = honest.lines(&stream);
            lines.pop();
            for _ in 0..=random.below(4) {
                let line = invented_stream(random);
                bundle.what.extend([&line, " "]);
                lines.insert(1 + random.below(lines.len()), line);
            }
            bundle.files.push((stream, counted(&lines)));
        }
        _ => {
            let mut lines = honest.lines(&record);
            shuffle(random, &mut lines);
            bundle.what = "lines of the record".into();
            let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
            bundle.files.push((record, text.into_bytes()));
        }
    }
    bundle
}

/// Tries forgeries of one honest bundle: its part of all cases.
#[track_caller]
fn forge(drill: &str, fault: Fault, verdict: Verdict, part: u64) {
    crate::support::turns::watched();
    let first = from_env("ZONEDRILL_FUZZ_SEED", 7) + (part << 32);
    let cases = from_env("ZONEDRILL_FUZZ_CASES", 2400) / PARTS;
    let honest = Honest::new(drill, fault);
    assert_eq!(honest.verdict, verdict, "{}", honest.name);
    println!("{}: ZONEDRILL_FUZZ_SEED={first}, {cases} cases", honest.name);
    let mut verdicts = std::collections::BTreeMap::new();
    for seed in first..first + cases {
        let forgery = forgery(&mut Random(seed), &honest);
        let verdict = check(&honest, &forgery, &format!("seed {seed}"));
        *verdicts.entry(verdict.as_str()).or_insert(0) += 1;
    }
    println!("{}: {verdicts:?}", honest.name);
}

/// How many tests share the cases.
const PARTS: u64 = 4;

#[test]
fn a_forged_proof_of_healing_is_no_greener() {
    forge("heal", Fault::None, Verdict::Proved, 0);
}

#[test]
fn a_forged_proof_of_independence_is_no_greener() {
    forge("independent", Fault::None, Verdict::Proved, 1);
}

#[test]
fn a_forged_loss_is_no_greener() {
    forge("heal", Fault::Lose, Verdict::Broken, 2);
}

#[test]
fn a_forged_void_is_no_greener() {
    forge("heal", Fault::Unread, Verdict::Void, 3);
}

/// The known ways to lie about messages: all digests fit, and none is believed.
#[test]
fn known_lies_are_found_out() {
    crate::support::turns::watched();
    let honest = Honest::new("heal", Fault::None);
    let lines: Vec<String> = honest.lines(LEDGER).iter().map(|line| bare(line)).collect();
    let at = |what: &str| lines.iter().position(|line| line.contains(what)).unwrap();
    let received = at(r#""k":"received","z":"b""#);
    let acked = at(r#""k":"acked""#);
    let now = 1_000_000;
    let ledger = |what: &str, change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        let files = vec![(LEDGER.to_owned(), sealed(&lines))];
        Forgery { what: what.into(), files, damaging: true }
    };
    let with = |line: String| ledger(&line, &|lines: &mut Vec<String>| lines.push(line.clone()));
    let replaced = |line: usize, was: &str, is: &str| {
        ledger(&format!("{was} → {is} in line {line}"), &|lines: &mut Vec<String>| {
            let altered = lines[line].replace(was, is);
            assert_ne!(altered, lines[line]);
            lines[line] = altered;
        })
    };
    let mut forgeries = vec![
        ledger("a receipt removed", &|lines| drop(lines.remove(received))),
        ledger("the first announcement removed", &|lines| {
            drop(lines.remove(at(r#""k":"intend""#)));
        }),
        replaced(received, r#""s":1,"#, r#""s":77777,"#),
        replaced(acked, r#""n":"#, r#""n":5"#),
        replaced(acked, r#""s":1,"#, r#""s":2,"#),
        with(format!(r#"{{"k":"foreign","z":"b","s":900,"at":{now}}}"#)),
        with(format!(r#"{{"k":"corrupt","z":"b","s":3,"why":"x","at":{now}}}"#)),
        with(format!(r#"{{"k":"cut-short","after":3,"lost":80,"at":{now}}}"#)),
        with(format!(r#"{{"k":"zone-removed","z":"b","at":{now}}}"#)),
        with(format!(r#"{{"k":"intend","p":1,"n":1,"c":4294967295,"at":{now}}}"#)),
        with(format!(r#"{{"k":"intend","p":1,"n":1,"c":0,"at":{now}}}"#)),
        with(format!(r#"{{"k":"received","z":"b","p":1,"n":1,"s":901,"c":1,"at":{now}}}"#)),
        with(format!(r#"{{"k":"acked","p":1,"n":1,"s":901,"c":1,"d":"zone-a","at":{now}}}"#)),
    ];
    for said in ["unknown", "resent", "withdrawn", "failed"] {
        forgeries.push(with(format!(
            r#"{{"k":"{said}","p":4294967295,"n":1,"c":1,"why":"no","at":{now}}}"#
        )));
    }
    let stream = honest.named("stream-js2-zone-b").remove(0);
    let mut blocks = honest.lines(&stream);
    blocks.pop();
    for (was, is) in [("b 0 ", "b 1 "), (" 200", " 199"), ("r 1 1 200", "r 2 1 199")] {
        let lines: Vec<String> = blocks.iter().map(|line| line.replacen(was, is, 1)).collect();
        if lines != blocks {
            let files = vec![(stream.clone(), counted(&lines))];
            forgeries.push(Forgery { what: format!("{was} → {is}"), files, damaging: true });
        }
    }
    for forgery in &forgeries {
        check(&honest, forgery, "a known lie");
    }
}

/// As much evidence as the honest bundle has, made so that whoever reads it has the most to do.
#[test]
fn no_ledger_of_its_size_keeps_verify_busy() {
    type Line = fn(u64, u64, u64) -> String;
    crate::support::turns::watched();
    let honest = Honest::new("heal", Fault::None);
    let size = honest.files.values().map(Vec::len).sum::<usize>();
    let (c, now) = (LONGEST_RUN, 1_000_000);
    let bombs: [(&str, Line); 7] = [
        ("the case of the paper", |i, _, at| {
            format!(r#"{{"k":"intend","p":{},"n":1,"c":1,"at":{at}}}"#, u64::from(u32::MAX) - i)
        }),
        ("long runs", |i, c, at| {
            format!(r#"{{"k":"unknown","p":1,"n":{},"c":{c},"at":{at}}}"#, i * c)
        }),
        ("long runs that go down", |i, c, at| {
            let n = (1 << 40) - i * c;
            format!(r#"{{"k":"acked","p":1,"n":{n},"c":{c},"s":{n},"d":"zone-a","at":{at}}}"#)
        }),
        ("long runs one over the other", |i, c, at| {
            format!(r#"{{"k":"received","z":"b","p":1,"n":{i},"c":{c},"s":{i},"at":{at}}}"#)
        }),
        ("nothing fits", |i, c, at| {
            format!(r#"{{"k":"received","z":"b","p":1,"n":{},"c":{c},"s":1,"at":{at}}}"#, 1 + i)
        }),
        ("one message at many sequences", |i, _, at| {
            format!(r#"{{"k":"received","z":"b","p":1,"n":1,"c":1,"s":{},"at":{at}}}"#, 1 + i)
        }),
        ("a zone that leaves", |i, c, at| match i % 2 {
            0 => format!(
                r#"{{"k":"acked","p":{i},"n":1,"c":{c},"s":{},"d":"a","at":{at}}}"#,
                1 + i * c
            ),
            _ => format!(r#"{{"k":"foreign","z":"z{}","s":{i},"at":{at}}}"#, i % 50),
        }),
    ];
    for (what, line) in bombs {
        let mut lines: Vec<String> = honest.lines(LEDGER).iter().map(|line| bare(line)).collect();
        let mut bytes = 0;
        for i in 0.. {
            let line = line(i, c, now);
            bytes += line.len();
            if bytes > size {
                break;
            }
            lines.insert(1 + i as usize, line);
        }
        let files = vec![(LEDGER.to_owned(), sealed(&lines))];
        check(&honest, &Forgery { what: what.into(), files, damaging: false }, "a bomb");
    }
}
