//! `junit.xml`: a suite per run; in it a case for the drill's verdict and one for each finding.
//!
//! Beside honest runs, one with a deliberate fault has a single case: whether the fault was found.
//!
//! Broken is a `failure`. Void is an `error`, not `skipped`: CI systems show skipped cases green, and
//! a drill that did not test what it claims is not green.

use std::fmt::Write;

use super::{Report, RunReport, format::escape};
use crate::region::status::Verdict;

/// The report as `JUnit` XML.
#[must_use]
pub fn render(report: &Report) -> String {
    let mixed = report.is_mixed();
    let of = |run| if mixed { Suite::of(run).unless_found(run) } else { Suite::of(run) };
    let suites: Vec<Suite> = report.runs.iter().map(of).collect();
    let sum = |of: fn(&Suite) -> usize| suites.iter().map(of).sum::<usize>();
    let time: f64 = suites.iter().map(|suite| suite.seconds).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"zonedrill\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{time:.3}\">",
        sum(|s| s.cases.len()),
        sum(|s| s.count("failure")),
        sum(|s| s.count("error")),
    );
    for suite in &suites {
        suite.write(&mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

struct Suite {
    name: String,
    stamp: String,
    seconds: f64,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    seconds: f64,
    /// The element of a bad case, its message, its text.
    bad: Option<(&'static str, Verdict, String)>,
}

impl Suite {
    fn of(run: &RunReport) -> Self {
        let seconds =
            run.ended_ms.map_or(0, |end| end.saturating_sub(run.began_ms)) as f64 / 1000.0;
        let sabotage =
            run.sabotage.as_ref().map(|k| format!(" [sabotage: {k}]")).unwrap_or_default();
        let mut cases = vec![Case {
            name: format!("{}{sabotage}", run.drill),
            seconds,
            bad: bad(run.conclusion.verdict, &run.conclusion.evidence),
        }];
        for finding in &run.conclusion.findings {
            let mut text = finding.text.clone();
            for (label, value) in &finding.numbers {
                let _ = write!(
                    text,
                    "
{label}: {value}"
                );
            }
            cases.push(Case {
                name: format!("{}{sabotage}: {}", run.drill, finding.check),
                seconds: 0.0,
                bad: bad(finding.verdict, &text),
            });
        }
        let stamp = super::format::moment(run.began_ms).replacen(' ', "T", 1);
        Self {
            name: run.folder.clone(),
            stamp: stamp.split('.').next().unwrap_or_default().to_owned(),
            seconds,
            cases,
        }
    }

    /// Beside honest runs one with a deliberate fault is good where the fault was found.
    fn unless_found(mut self, run: &RunReport) -> Self {
        if run.sabotage.is_some() {
            self.cases.truncate(1);
            let why = format!("the fault was not found: {}", run.conclusion.evidence);
            let bad = (run.as_it_must != Some(true)).then_some(("failure", Verdict::Broken, why));
            self.cases.iter_mut().for_each(|case| case.bad.clone_from(&bad));
        }
        self
    }

    fn count(&self, element: &str) -> usize {
        self.cases.iter().filter(|c| c.bad.as_ref().is_some_and(|(e, ..)| *e == element)).count()
    }

    fn write(&self, out: &mut String) {
        let name = escape(&self.name);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{:.3}\" timestamp=\"{}\">",
            self.cases.len(),
            self.count("failure"),
            self.count("error"),
            self.seconds,
            escape(&self.stamp),
        );
        for case in &self.cases {
            let head = format!(
                "    <testcase classname=\"zonedrill.{name}\" name=\"{}\" time=\"{:.3}\"",
                escape(&case.name),
                case.seconds
            );
            let _ = match &case.bad {
                None => writeln!(out, "{head}/>"),
                Some((element, verdict, text)) => writeln!(
                    out,
                    "{head}>\n      <{element} type=\"{}\" message=\"{}\">{}</{element}>\n    </testcase>",
                    verdict.as_str(),
                    escape(text.lines().next().unwrap_or_default()),
                    escape(text)
                ),
            };
        }
        out.push_str("  </testsuite>\n");
    }
}

fn bad(verdict: Verdict, text: &str) -> Option<(&'static str, Verdict, String)> {
    match verdict {
        Verdict::Proved => None,
        Verdict::Broken => Some(("failure", verdict, text.to_owned())),
        _ => Some(("error", verdict, text.to_owned())),
    }
}
