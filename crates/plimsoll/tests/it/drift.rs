//! `plimsoll drift` on files of every form, good and bad.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn run(args: &[&str], reference: &Path, current: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command
        .arg("drift")
        .args([reference, current])
        .args(args)
        .output()
        .unwrap()
}

/// Runs with `--json`, expects the exit code, and gives the report.
fn report(code: i32, reference: &Path, current: &Path) -> Value {
    let output = run(&["--json"], reference, current);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{stderr}"))
}

fn column<'a>(report: &'a Value, name: &str) -> &'a Value {
    let columns = report["columns"].as_array().unwrap();
    columns
        .iter()
        .find(|column| column["column"] == name)
        .unwrap()
}

/// Rows of an age and a plan; the ages begin at `from`.
fn csv(rows: u32, from: u32) -> String {
    let mut text = "age,plan\n".to_owned();
    for i in 0..rows {
        let plan = if i.is_multiple_of(3) {
            "\"pro, yearly\""
        } else {
            "basic"
        };
        writeln!(text, "{},{plan}", from + i % 50).unwrap();
    }
    text
}

fn jsonl(rows: u32, from: u32) -> String {
    let row = |i: u32| {
        let plan = if i.is_multiple_of(3) {
            "pro, yearly"
        } else {
            "basic"
        };
        format!("{}\n", json!({"age": from + i % 50, "plan": plan}))
    };
    (0..rows).map(row).collect()
}

#[test]
fn the_exit_code_says_whether_anything_drifted_in_any_pair_of_forms() {
    let folder = Folder::new();
    let was = folder.write("was.csv", &csv(1_000, 20));
    for (name, same, moved) in [
        ("is.csv", csv(900, 20), csv(900, 45)),
        ("is.jsonl", jsonl(900, 20), jsonl(900, 45)),
    ] {
        let is = folder.write(name, &same);
        assert_eq!(report(0, &was, &is)["verdict"], "steady");
        let is = folder.write(name, &moved);
        let told = report(1, &was, &is);
        assert_eq!(told["verdict"], "drifted");
        assert_eq!(told["columns"][0]["column"], "age");
        assert_eq!(column(&told, "plan")["standing"], "steady");
    }
}

#[test]
fn a_schema_that_changed_is_drift_and_says_which_column() {
    let folder = Folder::new();
    let was = folder.write("was.csv", &csv(400, 20));
    let is = folder.write("is.csv", &csv(400, 20).replacen("plan", "tariff", 1));
    let told = report(1, &was, &is);
    assert!(
        column(&told, "plan")["reasons"][0]
            .as_str()
            .unwrap()
            .contains("missing")
    );
    assert!(
        column(&told, "tariff")["reasons"][0]
            .as_str()
            .unwrap()
            .contains("new")
    );
    // One text among numbers, met late, makes the column one of texts.
    let is = folder.write("is.csv", &format!("{}old,basic\n", csv(4_000, 20)));
    let told = report(1, &was, &is);
    assert_eq!(
        column(&told, "age")["reasons"][0],
        "the type changed from numbers to texts"
    );
    assert_eq!(column(&told, "plan")["standing"], "steady");
}

#[test]
fn what_cannot_be_judged_exits_with_2_and_is_named() {
    let folder = Folder::new();
    let was = folder.write("was.csv", &csv(400, 20));
    for (text, reason) in [
        ("age,plan\n", "no rows"),
        ("age,plan\n30,basic\n", "too few"),
        ("age,plan,age\n30,basic,1\n", "several columns"),
    ] {
        let told = report(2, &was, &folder.write("is.csv", text));
        let said = column(&told, "age")["reasons"].to_string();
        assert!(said.contains(reason), "{said}");
    }
    let nested = folder.write(
        "is.jsonl",
        &"{\"age\": [1], \"plan\": \"basic\"}\n".repeat(50),
    );
    let told = report(1, &was, &nested);
    assert!(
        column(&told, "age")["reasons"]
            .to_string()
            .contains("lists")
    );
}

#[test]
fn a_file_that_is_missing_or_broken_is_told_with_its_name() {
    let folder = Folder::new();
    let was = folder.write("was.csv", &csv(400, 20));
    for (path, said) in [
        (folder.0.path().join("none.csv"), "none.csv"),
        (folder.write("rows.txt", "x"), "neither"),
        (
            folder.write("broken.jsonl", "{\"age\": 1}\n[1]\n"),
            "line 2",
        ),
        (
            folder.write("broken.parquet", "PAR1 and nothing else"),
            "broken.parquet",
        ),
    ] {
        let output = run(&[], &was, &path);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
    assert_eq!(
        run(&["--columns", "none"], &was, &was).status.code(),
        Some(2)
    );
    assert_eq!(
        run(&["--threshold", "nan"], &was, &was).status.code(),
        Some(2)
    );
}

#[test]
fn columns_can_be_chosen_and_the_page_is_written() {
    let folder = Folder::new();
    let was = folder.write("was.csv", &csv(400, 20));
    let is = folder.write("is.csv", &csv(400, 60));
    assert_eq!(run(&["--ignore", "age"], &was, &is).status.code(), Some(0));
    assert_eq!(
        run(&["--columns", "plan"], &was, &is).status.code(),
        Some(0)
    );
    let page = folder.0.path().join("page.html");
    let told = run(
        &["--method", "ks", "--html", page.to_str().unwrap()],
        &was,
        &is,
    );
    assert_eq!(told.status.code(), Some(1));
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("✗") && text.contains("age"), "{text}");
    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("<svg"));
}

#[test]
fn free_text_is_compared_by_what_can_be_counted_of_it_and_ids_are_not() {
    let folder = Folder::new();
    let lines = |asked: &str| {
        let mut text = String::new();
        for i in 0..400 {
            let more = "again ".repeat(i % 12);
            let row =
                json!({"question": format!("{asked} {i} {more}"), "ticket": format!("T-{i}")});
            writeln!(text, "{row}").unwrap();
        }
        text
    };
    let english = folder.write("was.jsonl", &lines("what is the status of my order"));
    let german = folder.write("is.jsonl", &lines("wie ist der Stand und wo ist das Paket"));
    let told = report(1, &english, &german);
    assert_eq!(column(&told, "question (language)")["standing"], "drifted");
    for steady in ["question (script)", "question (declines)"] {
        assert_eq!(column(&told, steady)["standing"], "steady");
    }
    assert_eq!(column(&told, "ticket")["standing"], "not-compared");
    assert!(!told.to_string().contains("status of my order"), "{told}");
    report(0, &english, &english);
}
