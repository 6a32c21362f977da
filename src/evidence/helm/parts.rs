//! A chart and those below it, from its files.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::archive::{ChartFiles, unpacked};
use crate::evidence::manifests::document::Document;
use crate::model::chart::ChartPart;

/// How deep charts may lie in each other.
const MAX_DEPTH: usize = 6;

/// The most charts that one may hold.
const MAX_PARTS: usize = 200;

/// The name of a chart, and what each chart of it tells.
pub(super) fn of(files: &ChartFiles) -> Result<(String, Vec<ChartPart>), String> {
    let chart = yaml(files, "Chart.yaml");
    let name = chart["name"].as_str().ok_or("its Chart.yaml has no name")?.to_owned();
    let mut parts = Vec::new();
    add(files, &[], 0, &mut parts);
    Ok((name, parts))
}

fn add(files: &ChartFiles, prefix: &[String], depth: usize, parts: &mut Vec<ChartPart>) {
    if depth > MAX_DEPTH || parts.len() >= MAX_PARTS {
        return;
    }
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    let schema =
        files.get("values.schema.json").and_then(|bytes| serde_json::from_slice(bytes).ok());
    let templates = files.iter().filter(|(name, _)| name.starts_with("templates/"));
    parts.push(ChartPart {
        prefix: prefix.to_vec(),
        values: yaml(files, "values.yaml"),
        schema,
        templates: templates.map(|(_, bytes)| text(bytes)).collect(),
    });
    let chart = yaml(files, "Chart.yaml");
    let requirements = yaml(files, "requirements.yaml");
    let lists = [&chart["dependencies"], &requirements["dependencies"]];
    let dependencies: Vec<&Value> =
        lists.into_iter().filter_map(Value::as_array).flatten().collect();
    for below in below(files) {
        let of_chart = yaml(&below, "Chart.yaml");
        let Some(name) = of_chart["name"].as_str() else { continue };
        // What a library defines is rendered with the values of who includes it.
        if of_chart["type"] == "library" {
            add(&below, prefix, depth + 1, parts);
            continue;
        }
        let of_name = dependencies.iter().filter(|one| one["name"] == name);
        let mut names: Vec<&str> =
            of_name.map(|one| one["alias"].as_str().unwrap_or(name)).collect();
        if names.is_empty() {
            names.push(name);
        }
        for name in names {
            add(&below, &[prefix, &[name.to_owned()]].concat(), depth + 1, parts);
        }
    }
}

/// The charts in `charts`, each with its own files.
fn below(files: &ChartFiles) -> Vec<ChartFiles> {
    let mut directories: BTreeMap<&str, ChartFiles> = BTreeMap::new();
    let mut archives = Vec::new();
    for (name, bytes) in files {
        let Some(name) = name.strip_prefix("charts/") else { continue };
        match name.split_once('/') {
            Some((directory, rest)) => {
                directories.entry(directory).or_default().insert(rest.to_owned(), bytes.clone());
            }
            None => archives.extend(unpacked(bytes.as_slice())),
        }
    }
    directories.into_values().chain(archives).collect()
}

/// A file of YAML, or an empty map.
fn yaml(files: &ChartFiles, name: &str) -> Value {
    let text = files.get(name).map(|bytes| String::from_utf8_lossy(bytes));
    let document = text.and_then(|text| Document::parse(&text).ok().flatten());
    document.map_or_else(|| json!({}), |document| document.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_below_have_their_prefix() {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let files = ChartFiles::from([
            file(
                "Chart.yaml",
                "name: shop\ndependencies: [{name: db, alias: orders}, {name: db, alias: users}, {name: common}]",
            ),
            file("charts/db/Chart.yaml", "name: db"),
            file("charts/db/values.yaml", "a: 1"),
            file("charts/db/charts/sub/Chart.yaml", "name: sub"),
            file("charts/common/Chart.yaml", "{name: common, type: library}"),
            file("charts/common/templates/_a.tpl", "x"),
        ]);
        let (name, parts) = of(&files).expect("a chart");
        assert_eq!(name, "shop");
        let mut prefixes: Vec<String> = parts.iter().map(|part| part.prefix.join(".")).collect();
        prefixes.sort();
        assert_eq!(prefixes, ["", "", "orders", "orders.sub", "users", "users.sub"]);
    }
}
