//! `kubectl nonroot completion`: scripts that teach a shell, or kubectl, to complete.

use clap::{Args, ValueEnum};

use super::{Fault, print};

/// Print a completion script for a shell, or for kubectl itself
///
/// kubectl completes `kubectl nonroot` in every shell that its own completion is set up for, if it
/// finds an executable kubectl_complete-nonroot in PATH: that is what `completion kubectl` prints.
/// It completes names from the cluster. The scripts for the shells are for kubectl-nonroot typed
/// with a hyphen: commands, flags and files.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionArgs {
    #[arg(value_enum)]
    shell: For,
}

const EXAMPLES: &str = "\
Examples:
  kubectl nonroot completion kubectl > ~/.local/bin/kubectl_complete-nonroot
  chmod +x ~/.local/bin/kubectl_complete-nonroot
  source <(kubectl nonroot completion bash)     # for kubectl-nonroot

Exit codes: 0 done, 2 bad usage.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum For {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    /// The executable that kubectl looks for
    Kubectl,
}

impl For {
    /// Its file in completions/, which tests/docs.rs makes from the commands and flags. To make it
    /// here would take longer than all the rest of the program.
    fn script(self) -> &'static str {
        match self {
            For::Bash => include_str!("../../completions/kubectl-nonroot.bash"),
            For::Zsh => include_str!("../../completions/_kubectl-nonroot"),
            For::Fish => include_str!("../../completions/kubectl-nonroot.fish"),
            For::PowerShell => include_str!("../../completions/kubectl-nonroot.ps1"),
            For::Kubectl => include_str!("../../completions/kubectl_complete-nonroot"),
        }
    }
}

pub(super) fn run(args: &CompletionArgs) -> Result<u8, Fault> {
    print(args.shell.script())?;
    Ok(0)
}
