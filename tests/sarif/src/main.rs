//! `sarif-check SCHEMA < FILE`: says where a SARIF file leaves the schema, and ends with 1 then.

use std::io::Read as _;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let schema = std::fs::read_to_string(std::env::args().nth(1).ok_or("no schema is named")?)?;
    let mut file = String::new();
    std::io::stdin().read_to_string(&mut file)?;
    // As published its two patterns of a language have a stray bracket, which is no regular
    // expression by ECMA-262.
    let schema: serde_json::Value =
        serde_json::from_str(&schema.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$"))?;
    let validator = jsonschema::validator_for(&schema)?;
    let file: serde_json::Value = serde_json::from_str(&file)?;
    let mut valid = true;
    for error in validator.iter_errors(&file) {
        println!("{}: {error}", error.instance_path());
        valid = false;
    }
    println!(
        "{} results, {}",
        file["runs"][0]["results"].as_array().map_or(0, Vec::len),
        if valid { "valid" } else { "not valid" }
    );
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
