use super::*;
use crate::region::endpoint::{Credential, SecretSource};

const HEAD: &str = "name = \"shop\"\nsource = \"a\"\nstream = \"ORDERS\"\n";

fn read(rest: &str) -> Result<RegionFile, FileError> {
    format!("{HEAD}{rest}").parse()
}

#[track_caller]
fn refused(rest: &str) -> String {
    read(rest).unwrap_err().to_string()
}

#[test]
fn a_region_is_read() {
    let file = read(
        r#"subject = "ORDERS.drill"
[zone.b]
url = ["tls://b1:4222", "tls://b2:4222"]
user = "drill"
password = { env = "B_PASSWORD" }
ca = "/etc/ca.pem"
tls_first = true
inbox_prefix = "_DRILL"
domain = "us"
stream = "ORDERS_EU"
consumers = "billing"
cut = { hook = "cut-it", heal = "heal-it" }
[zone.a]
context = "prod-eu"
system_context = "prod-eu-sys"
"#,
    )
    .unwrap();
    assert_eq!((&*file.name, file.subject.as_deref()), ("shop", Some("ORDERS.drill")));
    let names: Vec<&str> = file.zones.iter().map(|zone| zone.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(file.source().reach, Reach::Context("prod-eu".into()));
    assert_eq!(file.source().system, Some(Reach::Context("prod-eu-sys".into())));
    let b = &file.copies()[0];
    assert_eq!((&*b.stream, &*b.consumers), ("ORDERS_EU", &["billing".to_owned()][..]));
    assert!(matches!(&b.cut, Some(Cut::Hook { status: None, .. })));
    let Reach::Direct(endpoint) = &b.reach else { panic!("{:?}", b.reach) };
    assert_eq!(endpoint.urls.len(), 2);
    let password = SecretSource::Env { env: "B_PASSWORD".into() };
    assert_eq!(endpoint.credential, Credential::User { user: "drill".into(), password });
    assert!(endpoint.tls.first && endpoint.tls.ca.is_some());
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_to_do() {
    let two = "[zone.a]\ncontext = \"x\"\n[zone.b]\ncontext = \"y\"\n";
    for (rest, told) in [
        ("[zone.a]\ncontext = \"x\"\n".to_owned(), "this one has 1"),
        (format!("{two}user = \"u\"\n"), "line 6: zone b has `context` and `user`"),
        (format!("{two}colour = \"red\"\n"), "line 8: unknown field `colour`"),
        (format!("{two}domain = \"d\"\napi_prefix = \"p\"\n"), "`domain` and `api_prefix`"),
        (two.replace("[zone.b]\ncontext = \"y\"", "[zone.b]"), "give `context` or `url`"),
        (two.replace("context = \"y\"", "url = \"b\"\ncert = \"c\""), "`cert` without `key`"),
        (two.replace("context = \"y\"", "url = \"b\"\nuser = \"u\""), "`user` without `password`"),
        (
            two.replace("context = \"y\"", "url = \"b\"\ntoken = \"t\"\ncreds = \"c\""),
            "`token` and `creds`",
        ),
        (two.replace("context = \"x\"", "context = \"x\"\ncut = \"pause\""), "is the source"),
        (format!("{two}cut = \"axe\"\n"), "\"pause\", or { hook"),
        (format!("subject = \"ORDERS.>\"\n{two}"), "line 4: `ORDERS.>` is no subject"),
        (two.replace("[zone.a]", "[zone.c]"), "line 2: `source` names zone a"),
        (two.replace("[zone.b]", "[zone.B]"), "is not a zone name"),
    ] {
        let said = refused(&rest);
        assert!(said.contains(told), "{rest}: {said}");
    }
    let dotted = format!("{HEAD}{two}").replace("\"ORDERS\"", "\"EVENTS.REGION\"");
    let said = dotted.parse::<RegionFile>().unwrap_err().to_string();
    assert!(said.starts_with("line 3: `EVENTS.REGION` is no name of a stream"), "{said}");
}

#[test]
fn no_error_and_no_debug_shows_a_password() {
    let b = "[zone.a]\ncontext = \"x\"\n[zone.b]\nurl = \"nats://u:hush@b\"\n";
    assert!(!format!("{:?}", read(b).unwrap()).contains("hush"));
    for wrong in [
        "user = \"u\"\npassword = [\"hush\"]\n",
        "user = \"u\"\npassword = \"hush\n",
        "password = { enw = \"hush\" }\n",
        "user_jwt = \"hush\"\nuser = 5\n",
        "token = \"hush\"\n",
    ] {
        let said = refused(&format!("{b}{wrong}"));
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn a_draft_can_be_read_back() {
    let zone = |name: &str, stream: &str, copied| DraftZone {
        name: name.parse().unwrap(),
        context: format!("ctx-{name}"),
        stream: stream.into(),
        domain: Some("eu".into()),
        copied,
        version: "2.15.1".into(),
        replicas: 3,
        consumers: vec!["billing".into()],
    };
    let draft = Draft {
        name: "shop".into(),
        stream: "ORDERS".into(),
        zones: vec![zone("a", "ORDERS", None), zone("b", "ORDERS_B", Some(Copied::Sources))],
        candidates: vec!["AUDIT".into()],
    };
    let text = draft.write().unwrap();
    let file: RegionFile = text.parse().unwrap();
    assert_eq!(file.source().reach, Reach::Context("ctx-a".into()));
    assert_eq!(file.copies()[0].stream, "ORDERS_B");
    assert!(text.contains("#   stream = \"AUDIT\"") && text.contains("# sources, R3"), "{text}");
}
