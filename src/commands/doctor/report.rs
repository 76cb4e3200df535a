//! The report of `doctor`, as text and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::commands::doctor::command_line::CommandLine;
use crate::output::human::counted;
use crate::output::safe;
use crate::output::style::Style;
use crate::settings::environment::NAMES;
use crate::settings::layer::Origin;
use crate::settings::{Setting, Settings};

/// The report.
#[derive(Serialize)]
pub(crate) struct DoctorReport {
    pub(crate) checks: Vec<Check>,
    settings: Vec<SettingRow>,
}

/// One check.
#[derive(Serialize)]
pub(crate) struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    /// Suggested commands.
    fix: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    /// Information, not a problem.
    Note,
    Warn,
    Fail,
}

#[derive(Serialize)]
struct OtherValue {
    value: String,
    origin: String,
}

#[derive(Serialize)]
struct SettingRow {
    name: String,
    value: String,
    origin: String,
    /// Other values that weaker sources have.
    overridden: Vec<OtherValue>,
    #[serde(skip)]
    is_built_in: bool,
}

impl OtherValue {
    fn new((value, origin): &(String, Origin)) -> Self {
        Self { value: value.clone(), origin: origin.to_string() }
    }
}

impl Check {
    pub(crate) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into(), fix: None }
    }

    pub(crate) fn note(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Note, detail: detail.into(), fix: None }
    }

    pub(crate) fn warn(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, detail: detail.into(), fix: Some(fix.into()) }
    }

    pub(crate) fn fail(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, detail: detail.into(), fix: Some(fix.into()) }
    }

    /// A problem, with a command that can be typed as it stands, if one helps.
    pub(crate) fn finding(status: Status, name: &'static str, detail: impl Into<String>, fix: Option<String>) -> Self {
        Self { name, status, detail: detail.into(), fix }
    }

    fn is_finding(&self) -> bool {
        matches!(self.status, Status::Warn | Status::Fail)
    }
}

/// The printed name of a check; scripts rely on the name in JSON.
fn label(name: &'static str) -> &'static str {
    match name {
        "enabled" => "cache",
        "storage" | "cache" => "backend",
        "SQLite folder" => "SQLite directory",
        "integrity" => "states",
        other => other,
    }
}

impl DoctorReport {
    pub(crate) fn new(settings: &Settings) -> Self {
        let row = |setting: &Setting| SettingRow {
            name: setting.name.clone(),
            value: setting.value.clone(),
            origin: setting.origin.to_string(),
            overridden: setting.overridden.iter().map(OtherValue::new).collect(),
            is_built_in: setting.origin == Origin::BuiltIn,
        };
        Self { checks: Vec::new(), settings: settings.all.iter().map(row).collect() }
    }

    /// Adds the global flags to all suggested commands.
    pub(crate) fn advise(&mut self, command_line: &CommandLine) {
        for fix in self.checks.iter_mut().filter_map(|check| check.fix.as_mut()) {
            *fix = command_line.complete(fix);
        }
    }

    pub(crate) fn findings(&self) -> usize {
        self.checks.iter().filter(|check| check.is_finding()).count()
    }

    pub(crate) fn text(&self, style: Style) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut out, style);
        out
    }

    fn write(&self, out: &mut String, style: Style) -> std::fmt::Result {
        for check in &self.checks {
            let mark = match check.status {
                Status::Ok => style.good("ok  "),
                Status::Note => style.dim("    "),
                Status::Warn => style.warn("warn"),
                Status::Fail => style.bad("fail"),
            };
            writeln!(out, "{mark}  {:<16}  {}", label(check.name), safe::line(&check.detail))?;
            if let Some(fix) = &check.fix {
                writeln!(out, "      {:<16}  {} {}", "", style.dim("fix:"), style.bold(&safe::line(fix)))?;
            }
        }
        writeln!(out, "\n{}", style.bold("Settings"))?;
        // Defaults of services are left out: dozens of lines without information.
        let is_telling = |setting: &&SettingRow| !setting.is_built_in || NAMES.contains(&&*setting.name);
        for setting in self.settings.iter().filter(is_telling) {
            let value = safe::line(&setting.value);
            let origin = if setting.is_built_in { "default".into() } else { safe::line(&setting.origin) };
            let origin = format!("({origin})");
            writeln!(out, "  {:<30}  {value}  {}", setting.name, style.dim(&origin))?;
        }
        let findings = match self.findings() {
            0 => style.good("No problems found."),
            findings => style.warn(&format!("{} found.", counted(findings as u64, "problem"))),
        };
        writeln!(out, "\n{findings}")
    }
}
