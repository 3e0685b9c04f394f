//! The real binary, simulating.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

/// What a run said and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The last line of what it said.
    pub fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }

    /// The number in a row of its table.
    pub fn row(&self, name: &str) -> u64 {
        let cells =
            |line: &str| line.split(['│', '┆']).map(|cell| cell.trim().to_owned()).collect();
        let rows = self.out.lines().map(cells).filter(|row: &Vec<String>| row.len() > 2);
        let mut numbers = rows.filter(|row| row[1] == name).map(|row| row[2].parse());
        let number = numbers.next().and_then(Result::ok);
        number.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// A run in an environment without settings.
pub fn simulate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payonce"));
    for (name, _) in std::env::vars() {
        if name.starts_with("PAYONCE") || ["DATABASE_URL", "REDIS_URL", "PORT"].contains(&&*name) {
            command.env_remove(name);
        }
    }
    command.arg("simulate").args(arguments).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What comes of a run.
pub async fn ended(mut command: Command) -> Ended {
    let folder = TempDir::new().expect("a temporary folder");
    let output = timeout(Duration::from_secs(120), command.current_dir(folder.path()).output());
    let output = output.await.expect("the run ends").expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs it to its end.
pub async fn run(arguments: &[&str]) -> Ended {
    ended(simulate(arguments)).await
}
