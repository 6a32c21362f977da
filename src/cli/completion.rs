//! `kubectl nonroot completion`: scripts that teach a shell, or kubectl, to complete.

use clap::{Args, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Fault, command, print};

/// Print a completion script for a shell, or for kubectl itself
///
/// kubectl completes `kubectl nonroot` in every shell that its own completion is set up for, if it finds an executable
/// kubectl_complete-nonroot in PATH: that is what `completion kubectl` prints. It completes names from the cluster. The
/// scripts for the shells are for kubectl-nonroot typed with a hyphen: commands, flags and files.
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
    /// Its file in completions/.
    fn file(self) -> &'static str {
        match self {
            For::Bash => "kubectl-nonroot.bash",
            For::Zsh => "_kubectl-nonroot",
            For::Fish => "kubectl-nonroot.fish",
            For::PowerShell => "kubectl-nonroot.ps1",
            For::Kubectl => "kubectl_complete-nonroot",
        }
    }

    fn script(self) -> String {
        let shell = match self {
            For::Bash => Shell::Bash,
            For::Zsh => Shell::Zsh,
            For::Fish => Shell::Fish,
            For::PowerShell => Shell::PowerShell,
            For::Kubectl => return "#!/bin/sh\nexec kubectl-nonroot __complete \"$@\"\n".to_owned(),
        };
        let mut script = Vec::new();
        generate(shell, &mut command(), "kubectl-nonroot", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    }
}

pub(super) fn run(args: &CompletionArgs) -> Result<u8, Fault> {
    print(&args.shell.script())?;
    Ok(0)
}

/// What completions/ holds: the name of each file, and its text.
#[must_use]
pub fn completions() -> Vec<(&'static str, String)> {
    For::value_variants().iter().map(|each| (each.file(), each.script())).collect()
}
