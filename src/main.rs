//! Parses, loads the configuration, runs the command, prints the error chain, sets the exit code.

fn main() {}
