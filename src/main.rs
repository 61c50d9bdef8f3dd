//! The one binary: picks the role, nothing else.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// SMS service desks on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "aldis", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Write what is checked in (definitions, reference pages), or compare it.
    Generate(aldis::generate::Args),
}

fn main() -> ExitCode {
    let result: Result<(), Box<dyn std::error::Error>> = match Cli::parse().role {
        Role::Generate(args) => aldis::generate::run(&args).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aldis: {error}");
            ExitCode::FAILURE
        }
    }
}
