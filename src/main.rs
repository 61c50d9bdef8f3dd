//! The one binary: picks the role, nothing else.
#![forbid(unsafe_code)]

use std::{error::Error, process::ExitCode};

use aldis::process::{crypto, log};
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

// Threads of the runtime free what others allocated (docs/decisions/0021-the-allocator.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// SMS service desks on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "aldis", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one in a process")]
enum Role {
    /// Write what is checked in (definitions, reference pages), or compare it.
    Generate(aldis::generate::Args),
    /// Serve one SmsConnector: webhooks in, messages out.
    Gateway(aldis::gateway::Args),
    /// Keep the durable queue of one channel and serve its agents.
    Engine(aldis::engine::Args),
    /// Write a consistent copy of an engine's store to a file or to standard output, while the engine goes on.
    Backup(aldis::engine::BackupArgs),
    /// Put a backup in the place of an engine's store, while no engine runs on it.
    Restore(aldis::engine::RestoreArgs),
    /// Keep gateways and engines as the objects declare them.
    Operator(aldis::operator::Settings),
    /// Play a carrier: handsets on a web page, a provider's HTTP API, faults on demand.
    Simulator(aldis::simulator::Options),
}

fn main() -> ExitCode {
    crypto::install_providers();
    let result: Result<(), Box<dyn Error>> = match Cli::parse().role {
        Role::Generate(args) => aldis::generate::run(&args).map_err(Into::into),
        Role::Gateway(args) => serve(aldis::gateway::run(args)),
        Role::Engine(args) => serve(aldis::engine::run(args)),
        Role::Backup(args) => aldis::engine::backup(&args).map_err(Into::into),
        Role::Restore(args) => aldis::engine::restore(&args).map_err(Into::into),
        Role::Operator(settings) => serve(aldis::operator::run(settings)),
        Role::Simulator(options) => serve(aldis::simulator::run(options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aldis: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a role that serves until it is told to end.
fn serve<E: Error + 'static>(role: impl Future<Output = Result<(), E>>) -> Result<(), Box<dyn Error>> {
    log::begin();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(role)?)
}
