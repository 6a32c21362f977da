//! `kubectl nonroot explain`: why a container failed, and what would remove it.

use std::{io::Write, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::{
    diagnosis::{Context, Diagnosed, Diagnosis},
    error::Error,
    evidence::logs,
    model::obstacle::Category,
    output::explanation::{self, Explained, Explanation, Terminal},
    remedy,
};

/// Explain why a container failed: from a log, or by the name of an obstacle
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// `-` for a log on standard input, or the name of an obstacle, such as unwritable-path
    #[arg(value_name = "-|OBSTACLE", required_unless_present = "filename")]
    pub what: Option<String>,

    /// A log to read; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "what")]
    pub filename: Option<PathBuf>,

    /// How to show it
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// Show refusals that did not stop the program as well
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
    Yaml,
}

/// Runs the command and returns its exit code: 1 where there are obstacles, else 0.
pub fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<u8, Error> {
    let (read, diagnosed) = match (&args.filename, args.what.as_deref()) {
        (Some(path), _) if path.as_os_str() != "-" => {
            let mut diagnosis = Diagnosis::new(context(&path.display().to_string()));
            (logs::file(path, |piece| diagnosis.feed(piece))?, diagnosis.finish())
        }
        (Some(_), _) | (None, None | Some("-")) => {
            let mut diagnosis = Diagnosis::new(context("stdin"));
            (logs::standard_input(|piece| diagnosis.feed(piece)), diagnosis.finish())
        }
        (None, Some(name)) => return page(name, out),
    };
    let warnings = read.errors.iter().map(Error::to_string).collect();
    let explanation = explain(warnings, diagnosed);
    write(&explanation, args.output, args.all, out)?;
    Ok(u8::from(!explanation.obstacles.is_empty()))
}

fn context(source: &str) -> Context {
    Context { source: source.to_owned(), ..Context::default() }
}

/// The report on what was diagnosed, whatever it was diagnosed from.
#[must_use]
pub fn explain(warnings: Vec<String>, diagnosed: Diagnosed) -> Explanation {
    let explained = |obstacle| {
        let remedies = remedy::remedies(&obstacle).into_iter().map(|suggestion| explanation::Remedy {
            id: suggestion.id,
            level: suggestion.level.as_str(),
            summary: suggestion.summary,
        });
        let remedies = remedies.collect();
        Explained::new(obstacle, remedies)
    };
    let obstacles = diagnosed.obstacles.into_iter().map(explained).collect();
    Explanation::new(warnings, obstacles, diagnosed.looks_like.map(str::to_owned))
}

/// Writes the report in the shape asked for.
pub fn write(explanation: &Explanation, output: Output, all: bool, out: &mut dyn Write) -> Result<(), Error> {
    let failed = |why: String| Error::input("write the explanation", why);
    let text = match output {
        Output::Text => Terminal { explanation, all }.to_string(),
        Output::Json => serde_json::to_string_pretty(explanation).map_err(|why| failed(why.to_string()))? + "\n",
        Output::Yaml => serde_saphyr::to_string(explanation).map_err(|why| failed(why.to_string()))?,
    };
    out.write_all(text.as_bytes()).map_err(|why| failed(why.to_string()))
}

/// The page of one kind of obstacle.
fn page(name: &str, out: &mut dyn Write) -> Result<u8, Error> {
    let category = Category::ALL.into_iter().find(|category| category.as_str() == name).ok_or_else(|| {
        let names = Category::ALL.map(Category::as_str).join(", ");
        Error::input(format!("explain {name:?}"), "there is no obstacle of that name").help(format!("use - for a log on standard input, or one of {names}"))
    })?;
    let text = crate::output::obstacles::page(category);
    out.write_all(text.as_bytes()).map_err(|why| Error::input("write the page", why))?;
    Ok(0)
}
