//! `headgate-load`: the load generator behind `make bench`.

mod audience;
mod conductor;
mod floor;
mod histogram;
mod notice;
mod options;
mod pair;
mod picture;
mod publisher;
mod reader;
mod report;
mod rooms;
mod rtsp;
mod sequence;
mod sys;
mod turn;
mod window;

use std::process::ExitCode;

use options::Command;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let command = options::parse(arguments)?;
    sys::cpu::raise_descriptor_limit().map_err(|error| format!("limit of open files: {error}"))?;
    match command {
        Command::Run(plan) => conductor::conduct(&plan),
        Command::Floor(floor) => floor::measure(&floor),
        Command::Turn(turn) => turn.measure(),
        Command::Rooms(rooms) => rooms.measure(),
    }
}
