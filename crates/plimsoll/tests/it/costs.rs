//! `plimsoll cost`, over what a running server recorded.

use crate::running::{Workspace, eventually};

const ROWS: &str = "order_amount,refund_amount,days_since_order,reason\n80,30,40,damaged\n\
    800,300,40,other\nmany,30,40,late\n";

const PRICES: &str = r#"
[[price]]
provider = "local"
model = "refund-check/primary"
from = 2026-01-01
per_request = "0.25"
[[price]]
provider = "people"
model = "refunds"
from = 2026-01-01
per_second = "0.01"
"#;

#[test]
fn what_was_done_is_told_per_unit_with_the_people_and_what_it_would_have_been() {
    let workspace = Workspace::predictor();
    workspace.write("prices.toml", PRICES);
    let server = workspace.serve();
    let rows = workspace.write("rows.csv", ROWS);
    workspace.json(0, &["send", rows.to_str().unwrap(), "--url", &server.data]);
    let reviews = workspace.json(0, &["review", "list", "--url", &server.control]);
    let id = reviews[0]["id"].as_str().unwrap();
    let answer = r#"{"decision":"pay"}"#;
    let minutes = [
        "review",
        "answer",
        id,
        answer,
        "--minutes",
        "2.5",
        "--url",
        &server.control,
    ];
    workspace.json(0, &minutes);

    let told = eventually("the projection", || {
        let told = workspace.json(0, &["cost", "--since", "1h", "--by", "system,model"]);
        (told["total"]["reviews"] == 1 && told["total"]["decisions"] == 3).then_some(told)
    });
    let total = &told["total"];
    assert_eq!(
        (total["units"].as_u64(), total["accepted"].as_u64()),
        (Some(3), Some(2))
    );
    assert_eq!(total["straight_through"], 1);
    assert_eq!(total["review_seconds"], 150);
    assert_eq!(total["reviews_cost"], "1.5");
    assert_eq!(total["attempts"], 2);
    assert_eq!(total["total"], "2");
    assert_eq!(
        (&total["p50"], &total["worst"]),
        (&"0.25".into(), &"1.75".into())
    );
    assert_eq!(total["per_accepted"], "1");
    assert_eq!(told["rows"][0]["of"]["model"], "people/refunds");

    let csv = workspace.expect(0, &["cost", "--by", "day", "--csv"]);
    assert!(csv.starts_with("day,decisions,units,"), "{csv}");
    let text = workspace.expect(0, &["cost", "--system", "refund-check", "--traffic", "x2"]);
    assert!(
        text.contains("4 USD") && text.contains("6 refunds"),
        "{text}"
    );
    let dearer = workspace.write("dearer.toml", &PRICES.replace("0.25", "0.5"));
    let dearer = format!("prices={}", dearer.display());
    let supposed = workspace.json(0, &["cost", "--what-if", &dearer]);
    assert_eq!(supposed["total"]["total"], "2.5");
    assert_eq!(supposed["total"]["recorded"], "0.5");
    let told = workspace.expect(0, &["cost", "prices"]);
    assert!(told.contains("local/refund-check/primary"), "{told}");

    workspace.expect(2, &["cost", "--what-if", "model=openai/nobody"]);
    let day = total_day(&workspace);
    let bill = |requests: u32| {
        let text = format!("date,model,requests,cost\n{day},refund-check/primary,{requests},0.5\n");
        let path = workspace.write("bill.csv", &text);
        path.to_str().unwrap().to_owned()
    };
    workspace.expect(0, &["cost", "reconcile", &bill(2)]);
    let differs = workspace.json(1, &["cost", "reconcile", &bill(3)]);
    assert_eq!(differs["rows"][0]["ours"]["requests"], 2);
    workspace.expect(2, &["cost", "reconcile", "nowhere.csv"]);
}

fn total_day(workspace: &Workspace) -> String {
    let days = workspace.json(0, &["cost", "--by", "day"]);
    days["rows"][0]["of"]["day"].as_str().unwrap().to_owned()
}
