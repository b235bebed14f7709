//! Regions that somebody else runs, on real servers started without zonedrill: attached to with every
//! kind of login, examined, compared, and left as they were.

mod compared;
mod cuts;
mod drilled;
mod ended;
mod logins;
mod observed;
mod screened;
mod wrong;

use async_nats::Client;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::support::{
    others::{Others, Setup, api},
    region::Ran,
};

/// What the least user may do, one line each, with the purpose that it serves.
const LEAST: [(&str, &str); 9] = [
    ("publish", "$SYS.REQ.USER.INFO"),
    ("publish", "$SYS.REQ.ACCOUNT.PING.STATZ"),
    ("publish", "$JS.API.STREAM.INFO.ORDERS"),
    ("publish", "$JS.API.CONSUMER.INFO.ORDERS.billing"),
    ("publish", "$JS.API.DIRECT.GET.ORDERS"),
    ("publish", "ORDERS.drill"),
    ("publish", "$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing"),
    ("publish", "$JS.ACK.ORDERS.billing.>"),
    ("subscribe", "_INBOX.>"),
];

/// A user of that name with those lines.
fn user(name: &str, lines: &[(&str, &str)]) -> String {
    let list = |way: &str| {
        let subjects = lines.iter().filter(|(one, _)| *one == way);
        let quoted: Vec<String> = subjects.map(|(_, subject)| format!("\"{subject}\"")).collect();
        // An empty list would allow everything.
        if quoted.is_empty() { "\"nothing\"".to_owned() } else { quoted.join(", ") }
    };
    format!(
        ", {{user: {name}, password: {name}, permissions: {{publish: {{allow: [{}]}}, subscribe: {{allow: [{}]}}}}}}",
        list("publish"),
        list("subscribe")
    )
}

/// The part of an examination about one zone.
fn zone<'a>(out: &'a str, name: &str) -> &'a str {
    let from = out.find(&format!("zone {name} (")).unwrap_or_else(|| panic!("{out}"));
    let rest = &out[from..];
    let ends = ["\nzone ", "\nconclusions", "\nwhat the user"];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    &rest[..end]
}

#[track_caller]
fn says(text: &str, words: &str) {
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed(text).contains(&squeezed(words)), "`{words}` is not in:\n{text}");
}

#[track_caller]
#[allow(clippy::needless_pass_by_value)] // What a call gives, checked at once.
fn refused(ran: Ran, words: &str) {
    assert_eq!(ran.code, 3, "{ran:?}");
    says(&format!("{}{}", ran.out, ran.err), words);
}

/// Streams and consumers, as their cluster has them.
async fn belongings(client: &Client) -> Value {
    let streams = api(client, "STREAM.LIST", Value::Null).await;
    let consumers = api(client, "CONSUMER.LIST.ORDERS", Value::Null).await;
    let configs = |all: &Value, key: &str| {
        let all = all[key].as_array().cloned().unwrap_or_default();
        all.into_iter().map(|one| json!([one["config"], one["created"]])).collect::<Vec<_>>()
    };
    json!([configs(&streams, "streams"), configs(&consumers, "consumers")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_looked_at_and_nothing_is_changed() {
    let others = Others::start(&Setup { users: user("least", &LEAST), ..Setup::default() });
    let clients = others.with_stream("mirror", 300).await;
    let before = [belongings(&clients[0]).await, belongings(&clients[1]).await];
    let mut audits = Vec::new();
    for client in &clients {
        audits.push(client.subscribe("$JS.EVENT.ADVISORY.API").await.unwrap());
        client.flush().await.unwrap();
    }

    let region = others.region("least", "cut = \"pause\"\n");
    let doctor = others.run(&region, &["doctor"]).expect_code(0);
    let (a, b) = (zone(&doctor.out, "a"), zone(&doctor.out, "b"));
    says(a, "zone a (source): nats-server");
    says(a, "domain eu, account APP, user least");
    says(a, "300 messages, 1 to 300, R1");
    for purpose in ["observe", "produce", "consume", "verify"] {
        says(a, &format!("{purpose} yes"));
    }
    says(b, "zone b (copy by mirror)");
    says(b, "cut -: it copies over no durable that could be paused");
    says(a, "drill no: not permitted to publish $JS.API.CONSUMER.CREATE.ORDERS.>");
    let lacks = "1 cut b out of reach: it lacks drill in a, drill in b, cut in b";
    says(&doctor.out, lacks);
    let verify = others.run(&region, &["verify"]).expect_code(0);
    says(&verify.out, "zone b, ORDERS (mirror): identical 300 messages compared");

    assert_eq!(before, [belongings(&clients[0]).await, belongings(&clients[1]).await]);
    // Advisories of everything asked so far are here once that of this question is.
    for (client, audit) in clients.iter().zip(&mut audits) {
        client.request("$JS.API.STREAM.INFO.NONE", "".into()).await.unwrap();
        let mut asked = Vec::new();
        loop {
            let advisory: Value =
                serde_json::from_slice(&audit.next().await.unwrap().payload).unwrap();
            let subject = advisory["subject"].as_str().unwrap().to_owned();
            if subject.ends_with("NONE") {
                break;
            }
            if advisory["client"]["user"] == "least" {
                asked.push(subject);
            }
        }
        assert!(!asked.is_empty());
        let reads = ["STREAM.INFO.", "CONSUMER.INFO.", "STREAM.MSG.GET.", "STREAM.NAMES"];
        for subject in asked {
            let what = subject.strip_prefix("$JS.API.").unwrap();
            assert!(reads.iter().any(|read| what.starts_with(read)), "{subject}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_permission_that_is_missing_is_told_with_its_line() {
    let without = |at: usize| {
        let mut lines = LEAST.to_vec();
        lines.remove(at);
        user(&format!("no{at}"), &lines)
    };
    let users = (0..LEAST.len()).map(without).collect();
    let others = Others::start(&Setup { users, ..Setup::default() });
    others.with_stream("mirror", 10).await;
    for (at, (way, subject)) in LEAST.iter().enumerate() {
        let name = format!("no{at}");
        // The other zone is looked at by one who may.
        let region = others.region(&name, "").replacen(
            &format!("url = \"{}\"\nuser = \"{name}\"\npassword = \"{name}\"", others.url(1)),
            &format!("url = \"{}\"\nuser = \"admin\"\npassword = \"admin\"", others.url(1)),
            1,
        );
        let ran = others.run(&region, &["doctor"]);
        let a = zone(&ran.out, "a");
        let (row, lacks, code) = match at {
            0..=3 | 8 => ("observe no", *subject, 3),
            // The other way of reading is not permitted either; the better one is asked for.
            4 => ("verify no", *subject, 0),
            5 => ("produce no", *subject, 0),
            _ => ("consume no", *subject, 0),
        };
        let row = format!("{row}: not permitted to");
        says(a, &row);
        assert_eq!(ran.code, code, "{name}: {ran:?}");
        says(a, lacks);
        assert!(!a.contains("does not answer") && !ran.out.contains("problem"), "{}", ran.out);
        says(&ran.out, &format!("{way}: {{allow: ["));
        let flag = if *way == "publish" { "--allow-pub" } else { "--allow-sub" };
        says(&ran.out, "nsc edit user --account ");
        says(&ran.out, &format!("{flag} '{lacks}'"));
    }
}
