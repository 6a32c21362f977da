//! The templates of reports, and the one way to fill them: what comes from outside is made visible
//! as for a terminal, then escaped, without a word in the template about it.

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use super::terminal::Clean;
use crate::error::Error;

const TEMPLATES: [(&str, &str); 4] = [
    ("junit.xml", include_str!("junit.xml")),
    ("migration.html", include_str!("migration.html")),
    ("report.html", include_str!("report.html")),
    ("report.css", include_str!("report.css")),
];

/// Fills the template of that name.
///
/// # Errors
/// Never because of a report: the templates are part of the program, and the tests fill each.
pub(super) fn rendered(name: &str, report: &impl Serialize) -> Result<String, Error> {
    let fail = |error: minijinja::Error| {
        Error::input(format!("write the report as {name}"), format!("{error:#}"))
    };
    let environment = environment().map_err(fail)?;
    let mut text = environment
        .get_template(name)
        .and_then(|template| template.render(Serde(report)))
        .map_err(fail)?;
    text.push('\n');
    Ok(text)
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // XML's five characters are HTML's.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if value.kind() == ValueKind::String && !value.is_safe() => {
            escape_formatter(out, state, &Value::from(Clean(text).to_string()))
        }
        _ => escape_formatter(out, state, value),
    });
    environment.add_filter("bytes", super::image::bytes);
    environment.add_filter("yaml", yaml);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// The lines of a value as YAML.
fn yaml(value: Value) -> Result<Vec<String>, minijinja::Error> {
    let text = super::yaml::to_string(&value).map_err(|error| {
        minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string())
    })?;
    Ok(text.lines().map(str::to_owned).collect())
}
