//! A program as a scorer: a case on its standard input, a score on its standard output, within a time and
//! a size.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use plimsoll_evals::answer::Answer;
use plimsoll_evals::case::Case;
use plimsoll_evals::member::number;
use plimsoll_evals::scorer::Scored;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// The most that a program may print, in bytes.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;

/// Runs the program in `folder` and reads what it says.
pub(super) async fn score(
    command: &[String],
    timeout: Duration,
    folder: &Path,
    (case, answer): (&Case, &Answer),
) -> Scored {
    let Some((program, arguments)) = command.split_first() else {
        return Scored::unscored("no program is named");
    };
    let asked = json!({
        "case": case.id, "input": case.input, "expect": case.expect, "tags": case.tags,
        "answer": answer.value, "decision": answer.decision, "confidence": answer.confidence,
        "micros": answer.micros, "cost": answer.cost.amount,
    });
    let ran = run(program, arguments, folder, asked.to_string());
    match tokio::time::timeout(timeout, ran).await {
        Ok(Ok(printed)) => read(&printed),
        Ok(Err(fault)) => Scored::unscored(format!("`{program}` {fault}")),
        Err(_) => Scored::unscored(format!("`{program}` did not end within {timeout:?}")),
    }
}

async fn run(
    program: &str,
    arguments: &[String],
    folder: &Path,
    input: String,
) -> Result<Vec<u8>, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("could not be started: {error}"))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("has no input or output".to_owned());
    };
    let writing = async move {
        // A program need not read what it is told.
        stdin.write_all(input.as_bytes()).await.ok();
    };
    let reading = async move {
        let mut printed = Vec::new();
        let read = stdout
            .take(OUTPUT_BYTES_MAX + 1)
            .read_to_end(&mut printed)
            .await;
        read.map(|_| printed)
    };
    let ((), printed) = tokio::join!(writing, reading);
    let printed = printed.map_err(|error| format!("could not be read: {error}"))?;
    if printed.len() as u64 > OUTPUT_BYTES_MAX {
        return Err(format!("printed more than {OUTPUT_BYTES_MAX} bytes"));
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("ended with {status}"));
    }
    Ok(printed)
}

fn read(printed: &[u8]) -> Scored {
    let said: Value = serde_json::from_slice(printed).unwrap_or_default();
    let note = said["note"].as_str();
    match (number(&said["score"]), note) {
        (Some(1.0), None) => Scored::plain(1.0),
        (Some(score), note) => Scored::noted(score, note.unwrap_or("the program gave no note")),
        (None, _) => {
            let printed = String::from_utf8_lossy(printed);
            Scored::unscored(format!("the program printed no `score`: {printed}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_score_between_zero_and_one_is_one() {
        assert_eq!(read(b"{\"score\": 1}"), Scored::plain(1.0));
        assert_eq!(
            read(b"{\"score\": 0.5, \"note\": \"half\"}\n"),
            Scored::noted(0.5, "half")
        );
        for bad in [
            "",
            "{}",
            "0.5",
            "{\"score\": NaN}",
            "{\"score\": 2}",
            "{\"score\": \"high\"}",
        ] {
            assert!(
                matches!(read(bad.as_bytes()), Scored::Unscored { .. }),
                "{bad}"
            );
        }
    }

    #[tokio::test]
    async fn a_program_that_hangs_talks_too_much_or_fails_is_named() {
        let here = Path::new(".");
        let shell = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
        let ran = |script: &'static str| async move {
            let command = shell(script);
            run(&command[0], &command[1..], here, "{}".to_owned()).await
        };
        assert_eq!(ran("cat").await.unwrap(), b"{}");
        assert!(ran("exit 3").await.unwrap_err().contains('3'));
        assert!(ran("yes").await.unwrap_err().contains("more than"));
        let gone = run("there-is-no-such-program", &[], here, String::new()).await;
        assert!(gone.unwrap_err().contains("could not be started"));
    }
}
