//! The command line's page, made from the definition that parses it.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use crate::cli::Cli;

/// The page.
pub(crate) fn page() -> String {
    let mut command = Cli::command();
    command.build();
    let mut page = String::from("# Command line\n\n<!-- made by `plimsoll reference cli` -->\n");
    if let Some(about) = command.get_about() {
        let _infallible = writeln!(page, "\n{about}");
    }
    if let Some(help) = command.get_after_help() {
        let _infallible = writeln!(page, "\n{help}");
    }
    page.push_str("\n## Everywhere\n\n");
    table(
        &mut page,
        command.get_arguments().filter(|arg| arg.is_global_set()),
    );
    for child in command.get_subcommands() {
        section(&mut page, "plimsoll", child);
    }
    page
}

fn section(page: &mut String, parent: &str, command: &Command) {
    if command.get_name() == "help" {
        return;
    }
    let name = format!("{parent} {}", command.get_name());
    let own = || {
        command
            .get_arguments()
            .filter(|arg| !arg.is_global_set() && !is_help(arg))
    };
    let has_children = command
        .get_subcommands()
        .any(|child| child.get_name() != "help");
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _infallible = writeln!(page, "\n## `{name}`\n\n{about}.");
    if own().next().is_some() {
        page.push('\n');
        table(page, own());
    }
    if has_children {
        for child in command.get_subcommands() {
            section(page, &name, child);
        }
    }
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn table<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    page.push_str("| argument | meaning | default |\n|---|---|---|\n");
    for arg in args.filter(|arg| !is_help(arg)) {
        let values: Vec<&str> = arg
            .get_value_names()
            .into_iter()
            .flatten()
            .map(|name| name.as_str())
            .collect();
        let takes = arg.get_action().takes_values();
        let value = if takes {
            format!(" {}", values.join(" "))
        } else {
            String::new()
        };
        let spelled = match arg.get_long() {
            Some(long) => format!("`--{long}{value}`"),
            None => format!("`{}`", values.join(" ")),
        };
        let defaults = arg.get_default_values().iter();
        let defaults: Vec<String> = defaults
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let default = if takes {
            defaults.join(" ")
        } else {
            String::new()
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let choices: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|_| takes)
            .map(|choice| format!("`{}`", choice.get_name()))
            .collect();
        let choices = if choices.is_empty() {
            String::new()
        } else {
            format!(" One of {}.", choices.join(", "))
        };
        let help = help.replace('|', "\\|");
        let _infallible = writeln!(page, "| {spelled} | {help}.{choices} | {default} |");
    }
}
