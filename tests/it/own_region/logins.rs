//! Every kind of login, by region file and by nats context, and the first region file.

use std::path::Path;

use async_nats::ConnectOptions;
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa};
use serde_json::json;

use super::{refused, says, zone};
use crate::support::others::{HEAD, Others, Setup, creds, fill, jwt, operator, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_file_is_made_from_contexts_and_can_be_used() {
    let user = KeyPair::new_user();
    let users = format!(", {{nkey: {}}}", user.public_key());
    let others = Others::start(&Setup { users, ..Setup::default() });
    others.with_stream("sources", 20).await;
    let seed = others.write("b.nk", &user.seed().unwrap());
    others.context("eu", &json!({"url": others.url(0), "user": "admin", "password": "admin"}));
    others.context("us", &json!({"url": others.url(1), "nkey": seed}));
    others.context("again", &json!({"url": others.url(0), "user": "admin", "password": "admin"}));
    let init = |contexts: &str, more: &[&str]| {
        let mut words = vec!["region", "init", "--name", "shop", "--contexts", contexts];
        words.extend(more);
        others.zonedrill(&words)
    };
    let made = init("b=us,a=eu", &[]).expect_code(0);
    says(&made.out, "source = \"a\"");
    says(&made.out, "# sources, R1, nats-server 2.");
    says(&made.out, "# consumers = [\"billing\"]");
    let doctor = others.run(&made.out, &["doctor"]).expect_code(0);
    says(zone(&doctor.out, "b"), "zone b (copy by sources)");
    let verify = others.run(&made.out, &["verify"]).expect_code(0);
    says(&verify.out, "(sources): identical 20 messages compared");

    refused(init("a=eu,b=again", &[]), "contexts `eu` and `again` lead to the same cluster");
    refused(init("a=eu,b=us", &["--stream", "AUDIT"]), "no stream `AUDIT`");
    refused(init("a=eu,b=prod", &[]), "no nats context `prod` in");
    refused(init("a=eu,b=prod", &[]), "it has again, eu, us");
    others.context("nsc", &json!({"nsc": "nsc://o/a/u"}));
    refused(
        init("a=eu,b=nsc", &[]),
        "the nats context `nsc`: it looks its credentials up with `nsc`",
    );
    others.context("socks", &json!({"url": "x", "socks_proxy": "socks5://p"}));
    refused(init("a=eu,b=socks", &[]), "SOCKS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creds_in_operator_mode_are_used_and_an_expired_jwt_is_told() {
    let (accounts, app) = operator();
    let home = tempfile::tempdir().unwrap();
    let anything = json!({"pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2});
    let (user, late) = (KeyPair::new_user(), KeyPair::new_user());
    let all = creds(&jwt(&app, &user, "mira", &anything, 0), &user);
    let file = write(home.path(), "all.creds", &all);
    write(
        home.path(),
        "late.creds",
        &creds(&jwt(&app, &late, "tom", &anything, 1_700_000_001), &late),
    );
    let mut least = anything.clone();
    least["pub"] = json!({"allow": ["$SYS.REQ.USER.INFO", "$JS.API.STREAM.INFO.ORDERS", "$SYS.REQ.ACCOUNT.PING.STATZ", "$JS.API.DIRECT.GET.ORDERS"]});
    let few = KeyPair::new_user();
    write(home.path(), "least.creds", &creds(&jwt(&app, &few, "ines", &least, 0), &few));
    let others = Others::start_in(
        home,
        &Setup {
            accounts: Some(accounts),
            leaf_remote: Some(format!(
                "account: {}, credentials: \"{}\"",
                app.public_key(),
                file.display()
            )),
            ..Setup::default()
        },
    );
    let options = || ConnectOptions::with_credentials(&all).unwrap();
    let clients = [others.client(0, options).await, others.client(1, options).await];
    fill(&clients, "mirror", 30).await;
    // Files stand beside the region file.
    let region = |a: &str, b: &str| {
        let zone = |name, at, creds: &str| {
            format!("[zone.{name}]\nurl = \"{}\"\ncreds = \"{creds}\"\n", others.url(at))
        };
        format!("{HEAD}{}{}", zone("a", 0, a), zone("b", 1, b))
    };
    let doctor = others.run(&region("all.creds", "least.creds"), &["doctor"]).expect_code(0);
    says(zone(&doctor.out, "a"), "produce yes");
    let verify = others.run(&region("least.creds", "all.creds"), &["verify"]).expect_code(0);
    says(&verify.out, "identical 30 messages compared");
    let least = others.run(&region("least.creds", "all.creds"), &["doctor"]).expect_code(0);
    says(zone(&least.out, "a"), "produce no: not permitted to publish ORDERS.drill");
    says(&least.out, "--allow-pub 'ORDERS.drill'");
    let late = others.run(&region("all.creds", "late.creds"), &["doctor"]);
    refused(late, "late.creds expired at 2023-11-14T22:13:21Z");
}

/// Certificates in a folder: an authority, a server's and a client's, and another authority.
fn certificates(folder: &Path) {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer =
            CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
        write(folder, &format!("{name}.pem"), &issuer.pem());
        issuer
    };
    let (ours, _) = (authority("ca"), authority("other-ca"));
    for (name, usage) in [
        ("server", vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth]),
        ("client", vec![ExtendedKeyUsagePurpose::ClientAuth]),
    ] {
        let mut params =
            CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
        params.extended_key_usages = usage;
        let key = rcgen::KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &ours).unwrap();
        write(folder, &format!("{name}.pem"), &signed.pem());
        write(folder, &format!("{name}.key"), &key.serialize_pem());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutual_tls_is_spoken_and_a_wrong_authority_is_told() {
    let home = tempfile::tempdir().unwrap();
    certificates(home.path());
    let folder = home.path().to_owned();
    let at = folder.display();
    let files = format!(
        "cert_file: \"{at}/server.pem\", key_file: \"{at}/server.key\", ca_file: \"{at}/ca.pem\""
    );
    let tls = format!("tls {{ {files}, verify: true }}");
    let setup = Setup {
        top: tls.clone(),
        leaf_listen: tls.clone(),
        leaf_remote: Some(format!("account: APP, tls {{ {files} }}")),
        leaf_scheme: Some("tls"),
        ..Setup::default()
    };
    let others = Others::start_in(home, &setup);
    let options = || {
        ConnectOptions::with_user_and_password("admin".into(), "admin".into())
            .require_tls(true)
            .add_root_certificates(folder.join("ca.pem"))
            .add_client_certificate(folder.join("client.pem"), folder.join("client.key"))
    };
    let clients = [others.client(0, options).await, others.client(1, options).await];
    fill(&clients, "mirror", 30).await;
    let tls = |ca: &str, client: &str| {
        let zone = |name, at| {
            format!(
                "[zone.{name}]\nurl = \"tls://{}\"\nuser = \"admin\"\npassword = {{ env = \"OTHERS_PASSWORD\" }}\nca = \"{ca}\"\n{client}",
                others.url(at)
            )
        };
        format!("{HEAD}{}{}", zone("a", 0), zone("b", 1))
    };
    let client = "cert = \"client.pem\"\nkey = \"client.key\"\n";
    let verify = others.run(&tls("ca.pem", client), &["verify"]).expect_code(0);
    says(&verify.out, "identical 30 messages compared");
    let wrong = others.run(&tls("other-ca.pem", client), &["doctor"]);
    refused(wrong, "is not signed by");
    refused(others.run(&tls("ca.pem", ""), &["doctor"]), "asks for a client's certificate");
    refused(others.run(&tls("none.pem", client), &["doctor"]), "none.pem");
}
