//! From the text of a region file to what it means.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::{Act, Cut, ExternalZone, FileError, Limits, Reach, RegionFile, Wrong, is_stream_name};
use crate::region::{
    ZoneName,
    endpoint::{Api, Credential, Endpoint, SecretSource, TlsFiles, without_credentials},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    name: Spanned<String>,
    source: Spanned<ZoneName>,
    stream: Spanned<String>,
    subject: Option<Spanned<String>>,
    #[serde(default)]
    allow: Vec<Act>,
    #[serde(default)]
    limits: LimitsText,
    #[serde(default)]
    zone: BTreeMap<ZoneName, Spanned<ZoneText>>,
}

/// Messages a second, bytes in all, seconds.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    rate: Option<NonZeroU32>,
    bytes: Option<u64>,
    seconds: Option<NonZeroU32>,
}

impl From<LimitsText> for Limits {
    fn from(text: LimitsText) -> Self {
        let usual = Self::default();
        Self {
            rate: text.rate.map_or(usual.rate, |rate| rate.get().into()),
            bytes: text.bytes.unwrap_or(usual.bytes),
            time: text.seconds.map_or(usual.time, |s| Duration::from_secs(s.get().into())),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneText {
    context: Option<String>,
    system_context: Option<String>,
    url: Option<OneOrMore>,
    user: Option<String>,
    password: Option<SecretSource>,
    token: Option<SecretSource>,
    nkey: Option<PathBuf>,
    creds: Option<PathBuf>,
    user_jwt: Option<SecretSource>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    ca: Option<PathBuf>,
    tls_first: Option<bool>,
    inbox_prefix: Option<String>,
    domain: Option<String>,
    api_prefix: Option<String>,
    stream: Option<String>,
    consumers: Option<OneOrMore>,
    cut: Option<CutText>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a text, or a list of texts")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for Vec<String> {
    fn from(texts: OneOrMore) -> Self {
        match texts {
            OneOrMore::One(text) => vec![text],
            OneOrMore::More(texts) => texts,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "\"pause\", or { hook = \"COMMAND\", heal = \"COMMAND\" }")]
enum CutText {
    Word(CutWord),
    Hook(Hook),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CutWord {
    Pause,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hook {
    #[serde(rename = "hook")]
    cut: String,
    heal: String,
    status: Option<String>,
}

impl FromStr for RegionFile {
    type Err = FileError;

    fn from_str(text: &str) -> Result<Self, FileError> {
        let line = |at: usize| Some(text.get(..at).unwrap_or(text).matches('\n').count() + 1);
        let read: Text = toml::from_str(text).map_err(|error| FileError {
            line: error.span().and_then(|span| line(span.start)),
            // Not the error's own picture of the line, which may hold a password.
            wrong: Wrong::Syntax(error.message().to_owned()),
        })?;
        let at = |at: usize, wrong: Wrong| FileError { line: line(at), wrong };
        let name_at = read.name.span().start;
        let name = read.name.into_inner();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(fits) {
            return Err(at(name_at, Wrong::Name(name)));
        }
        let stream_at = read.stream.span().start;
        let stream = read.stream.into_inner();
        if !is_stream_name(&stream) {
            return Err(at(stream_at, Wrong::Stream(stream)));
        }
        if let Some(subject) = &read.subject
            && !is_subject(subject.get_ref())
        {
            return Err(at(subject.span().start, Wrong::Subject(subject.get_ref().clone())));
        }
        if read.zone.len() < 2 {
            return Err(FileError { line: None, wrong: Wrong::TooFewZones(read.zone.len()) });
        }
        let source_at = read.source.span().start;
        let source = read.source.into_inner();
        if !read.zone.contains_key(&source) {
            return Err(at(source_at, Wrong::NoSource(source)));
        }
        let mut zones = Vec::with_capacity(read.zone.len());
        for (name, zone) in read.zone {
            let begins = zone.span().start;
            let zone = zone.into_inner().meant(name, &stream, &source);
            zones.push(zone.map_err(|wrong| at(begins, wrong))?);
        }
        zones.sort_by_key(|zone| zone.name != source);
        let subject = read.subject.map(Spanned::into_inner);
        let limits = read.limits.into();
        Ok(Self { name, subject, allow: read.allow, limits, zones })
    }
}

impl ZoneText {
    fn meant(self, name: ZoneName, stream: &str, source: &ZoneName) -> Result<ExternalZone, Wrong> {
        let stream = self.stream.clone().unwrap_or_else(|| stream.to_owned());
        if !is_stream_name(&stream) {
            return Err(Wrong::Stream(stream));
        }
        if self.domain.is_some() && self.api_prefix.is_some() {
            return Err(Wrong::TwoPrefixes(name));
        }
        if self.cut.is_some() && name == *source {
            return Err(Wrong::CutOfSource(name));
        }
        let reach = self.reach(&name)?;
        let consumers: Vec<String> = self.consumers.map(Into::into).unwrap_or_default();
        if consumers.iter().any(|consumer| !is_stream_name(consumer)) {
            return Err(Wrong::Empty { zone: name, what: "a name in `consumers`" });
        }
        Ok(ExternalZone {
            stream,
            reach,
            system: self.system_context.map(Reach::Context),
            domain: self.domain,
            api_prefix: self.api_prefix,
            consumers,
            cut: self.cut.map(|cut| match cut {
                CutText::Word(CutWord::Pause) => Cut::Pause,
                CutText::Hook(Hook { cut, heal, status }) => Cut::Hook { cut, heal, status },
            }),
            name,
        })
    }

    fn reach(&self, zone: &ZoneName) -> Result<Reach, Wrong> {
        let direct = [
            ("url", self.url.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("token", self.token.is_some()),
            ("nkey", self.nkey.is_some()),
            ("creds", self.creds.is_some()),
            ("user_jwt", self.user_jwt.is_some()),
            ("cert", self.cert.is_some()),
            ("key", self.key.is_some()),
            ("ca", self.ca.is_some()),
            ("tls_first", self.tls_first.is_some()),
            ("inbox_prefix", self.inbox_prefix.is_some()),
        ];
        let zone = || zone.clone();
        if let Some(context) = &self.context {
            return match direct.iter().find(|(_, given)| *given) {
                Some((key, _)) => Err(Wrong::Both { zone: zone(), key }),
                None if context.is_empty() => Err(Wrong::Empty { zone: zone(), what: "`context`" }),
                None => Ok(Reach::Context(context.clone())),
            };
        }
        let urls = match &self.url {
            None => return Err(Wrong::Unreachable(zone())),
            Some(OneOrMore::One(url)) => url.split(',').map(|url| url.trim().to_owned()).collect(),
            Some(OneOrMore::More(urls)) => urls.clone(),
        };
        if urls.is_empty() || urls.iter().any(String::is_empty) {
            return Err(Wrong::Empty { zone: zone(), what: "`url`" });
        }
        let (urls, in_url) = without_credentials(&urls);
        let client = match (&self.cert, &self.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (Some(_), None) => return Err(Wrong::Half { zone: zone(), has: "cert", lacks: "key" }),
            (None, Some(_)) => return Err(Wrong::Half { zone: zone(), has: "key", lacks: "cert" }),
        };
        Ok(Reach::Direct(Box::new(Endpoint {
            urls,
            credential: self.credential(zone, in_url)?,
            tls: TlsFiles { ca: self.ca.clone(), client, first: self.tls_first == Some(true) },
            inbox_prefix: self.inbox_prefix.clone().filter(|prefix| !prefix.is_empty()),
            api: Api::Own,
        })))
    }

    fn credential(
        &self,
        zone: impl Fn() -> ZoneName,
        in_url: Option<Credential>,
    ) -> Result<Credential, Wrong> {
        // With a JWT the nkey is its seed.
        let nkey_alone = self.nkey.is_some() && self.user_jwt.is_none();
        let mut given = [
            ("url", in_url.is_some()),
            ("user", self.user.is_some()),
            ("token", self.token.is_some()),
            ("creds", self.creds.is_some()),
            ("user_jwt", self.user_jwt.is_some()),
            ("nkey", nkey_alone),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key));
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return Err(Wrong::TwoCredentials { zone: zone(), one, other });
        }
        let seed = || self.nkey.clone().map(|file| SecretSource::File { file });
        Ok(match (&self.user, &self.password) {
            (Some(user), Some(password)) => {
                Credential::User { user: user.clone(), password: password.clone() }
            }
            (Some(_), None) => {
                return Err(Wrong::Half { zone: zone(), has: "user", lacks: "password" });
            }
            (None, Some(_)) => {
                return Err(Wrong::Half { zone: zone(), has: "password", lacks: "user" });
            }
            (None, None) => match (&self.token, &self.creds, &self.user_jwt, seed()) {
                (Some(token), ..) => Credential::Token(token.clone()),
                (_, Some(creds), ..) => Credential::Creds(creds.clone()),
                (_, _, Some(jwt), Some(seed)) => Credential::Jwt { jwt: jwt.clone(), seed },
                (_, _, Some(_), None) => {
                    return Err(Wrong::Half { zone: zone(), has: "user_jwt", lacks: "nkey" });
                }
                (.., Some(seed)) => Credential::Nkey(seed),
                _ => in_url.unwrap_or_default(),
            },
        })
    }
}

fn is_subject(text: &str) -> bool {
    text.split('.').all(|token| {
        !token.is_empty() && !token.contains(|c: char| c.is_whitespace() || c == '*' || c == '>')
    })
}
