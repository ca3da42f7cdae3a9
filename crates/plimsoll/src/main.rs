//! The binary: reads the command line, does what it says, and ends with an exit code that says how
//! it went. What each command does stands in `command`, the server's wiring in `serve`.

mod cli;
mod exit;
mod output;

mod client;
mod data_folder;
mod dataset_file;
mod desk;
mod eval_run;
mod eval_set;
mod evidence;
mod held_keys;
mod key_secret;
mod lag;
mod monitor_file;
mod people_file;
mod rows;
mod tabular;
mod workspace;

mod assembly;
mod serve;

mod command;
mod reference;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::{Exit, Exits as _, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads of the runtime that serves operators; callers are served by threads of their own.
const CONTROL_THREADS: usize = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = runtime().and_then(|runtime| {
        let ended = runtime.block_on(command::run(cli));
        // What still blocks, blocks on something that nobody waits for.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if failure.exit != Exit::Yes {
                output::tell(&failure);
            }
            failure.exit.into()
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("plimsoll-control")
        .enable_all()
        .build()
        .or_exit(Exit::Internal)
}
