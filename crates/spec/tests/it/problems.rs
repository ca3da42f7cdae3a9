//! What is said of a workspace that is not right: every problem at once, each with place and fix.

use crate::folder::{Folder, LOAN_SYSTEM, SUPPORT_SYSTEM, loan, support};

fn loan_with(from: &str, to: &str) -> Folder {
    assert!(LOAN_SYSTEM.contains(from), "{from}");
    loan().with(
        "systems/loan-default/system.toml",
        &LOAN_SYSTEM.replace(from, to),
    )
}

fn support_with(from: &str, to: &str) -> Folder {
    assert!(SUPPORT_SYSTEM.contains(from), "{from}");
    support().with(
        "systems/support-answer/system.toml",
        &SUPPORT_SYSTEM.replace(from, to),
    )
}

#[test]
fn every_problem_is_told_at_once_with_its_line_and_its_fix() {
    let folder = Folder::new()
        .with("plimsoll.toml", "[server]\ndata_adress = \"127.0.0.1:8080\"\nbody_max = 100\ndrain = \"20\"\n")
        .with(
            "systems/loan/system.toml",
            "purpose = \"Lend\"\nstakes = \"hihg\"\n\n[models.primary]\nrules = \"rule.toml\"\n\n[output]\nunsure = \"confidense < 0.5\"\n\n[on]\nunavailabel = [\"refuse\"]\nslow = [\"refuse\", \"abstain\"]\n",
        )
        .with("systems/loan/rules.toml", "");
    insta::assert_snapshot!(folder.told(), @r#"
    error: `[server]` has no key `data_adress`
      --> plimsoll.toml:2:1
      |
    2 | data_adress = "127.0.0.1:8080"
      | ^^^^^^^^^^^
      = help: did you mean `data_address`?

    error: `server.body_max` must be a size, not a number
      --> plimsoll.toml:3:12
      |
    3 | body_max = 100
      |            ^^^
      = help: write it as text with its unit

    error: `server.drain` is not a duration: `20`
      --> plimsoll.toml:4:9
      |
    4 | drain = "20"
      |         ^^^^
      = help: it has no unit: write it as in "50ms", "20s", "4h" or "30d" (us, ms, s, m, h, d)

    error: `stakes` must be one of `low`, `limited` and `high`, not `hihg`
      --> systems/loan/system.toml:2:10
      |
    2 | stakes = "hihg"
      |          ^^^^^^
      = help: did you mean `high`?

    error: the file `rule.toml` is not there
      --> systems/loan/system.toml:5:9
      |
    5 | rules = "rule.toml"
      |         ^^^^^^^^^^^
      = help: did you mean `rules.toml`?

    error: there is no variable `confidense` here: did you mean `confidence`?
      --> systems/loan/system.toml:8:10
      |
    8 | unsure = "confidense < 0.5"
      |          ^^^^^^^^^^^^^^^^^^

    error: `[on]` has no key `unavailabel`
       --> systems/loan/system.toml:11:1
       |
    11 | unavailabel = ["refuse"]
       | ^^^^^^^^^^^
       = help: did you mean `unavailable`?

    error: the step `abstain` needs `[abstain]`
       --> systems/loan/system.toml:12:19
       |
    12 | slow = ["refuse", "abstain"]
       |                   ^^^^^^^^^
       = help: add [abstain] with a `value` or, for language models, a `message`

    error: `abstain` stands after `refuse`, where the ladder ends
       --> systems/loan/system.toml:12:19
       |
    12 | slow = ["refuse", "abstain"]
       |                   ^^^^^^^^^
       = help: take it out, or put it before `refuse`

    9 errors
    "#);
}

#[test]
fn errors_of_syntax_are_all_told() {
    let folder = loan().with(
        "plimsoll.toml",
        "[server]\nnode = node-1\n\n[storage\npath = \"data\"\n",
    );
    insta::assert_snapshot!(folder.told(), @r#"
    error: this is not TOML: invalid float, expected `nan`
      --> plimsoll.toml:2:8
      |
    2 | node = node-1
      |        ^^^^^^
      = help: if a text is meant, it stands in quotes: "…"

    error: this is not TOML: unclosed table, expected `]`
      --> plimsoll.toml:4:9
      |
    4 | [storage
      |         ^

    2 errors
    "#);
}

#[test]
fn a_folder_that_is_no_workspace_says_how_to_make_one() {
    let folder = Folder::new();
    std::fs::remove_file(folder.path().join("plimsoll.toml")).unwrap();
    insta::assert_snapshot!(folder.told(), @r#"
    error: the file is not there
      --> plimsoll.toml
      = help: this is not a workspace yet: make one with `plimsoll init`, or name another folder with `--workspace`

    1 error
    "#);
}

#[test]
fn ladders_are_held_to_their_rules() {
    let on =
        "[on]                                           # every failure kind has a designed answer";
    let start = LOAN_SYSTEM.find(on).unwrap();
    let end = LOAN_SYSTEM.find("[deadline]").unwrap();
    let ladders = "[on]
malformed = [\"rules\"]
adversarial = [\"repair\"]
unavailable = [\"review\", \"rules\"]
slow = [\"rules\", \"rules\"]
wrong = [\"repair\", \"rulse\"]
unsure = []
over_budget = [\"ask_again\"]
overload = [\"primary\", \"shed\"]

";
    let folder = loan().with(
        "systems/loan-default/system.toml",
        &format!("{}{ladders}{}", &LOAN_SYSTEM[..start], &LOAN_SYSTEM[end..]),
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:27 error: `rules` may not answer `malformed`: the input was not found fit to be asked",
        "system.toml:28 error: `repair` may not answer `adversarial`: the input was not found fit to be asked",
        "system.toml:28 error: no model here can repair its answer: only language models can",
        "system.toml:29 error: `rules` stands after `review`, where the ladder ends",
        "system.toml:30 error: `rules` stands twice",
        "system.toml:31 error: no model here can repair its answer: only language models can",
        "system.toml:31 error: there is no step and no model called `rulse`",
        "system.toml:32 error: the ladder of `unsure` has no step",
        "system.toml:33 error: the step `ask_again` is not in this version",
        "system.toml:34 warning: `primary` is asked first, so this step is mostly passed over",
    ]
    "#);
}

#[test]
fn a_review_that_nobody_answers_is_never_an_approval() {
    let folder = loan_with(
        "on_expiry = \"abstain\"                          # never a silent approval",
        "on_expiry = \"approve\"",
    );
    insta::assert_snapshot!(folder.told(), @r#"
    error: `review.on_expiry` must be one of `abstain` and `refuse`, not `approve`
       --> systems/loan-default/system.toml:42:13
       |
    42 | on_expiry = "approve"
       |             ^^^^^^^^^
       = help: write one of `abstain` and `refuse`

    1 error
    "#);
    let folder = loan_with(
        "on_expiry = \"abstain\"                          # never a silent approval",
        "",
    );
    insta::assert_snapshot!(folder.told(), @r#"
    error: `[review]` has no `on_expiry`
       --> systems/loan-default/system.toml:39:2
       |
    39 | [review]
       |  ^^^^^^
       = help: say what happens when nobody answers in time: "abstain" or "refuse"

    1 error
    "#);
}

#[test]
fn what_a_step_needs_must_be_there() {
    let folder = loan_with(
        "[review]\nqueue = \"credit\"\ndue   = \"4h\"\non_expiry = \"abstain\"                          # never a silent approval",
        "",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:29 error: the step `review` needs `[review]`",
        "system.toml:31 error: the step `review` needs `[review]`",
        "system.toml:32 error: the step `review` needs `[review]`",
    ]
    "#);
    let folder = loan_with("[abstain]\nvalue = { decision = \"refer\" }", "");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:42 error: `on_expiry = \"abstain\"` needs `[abstain]`",
    ]
    "#);
    let folder = loan_with(
        "unsure = \"confidence < 0.75 || inputs.loan_amount > 50000\"",
        "",
    )
    .with(
        "systems/loan-default/input.schema.json",
        crate::folder::LOAN_INPUT,
    );
    assert!(
        folder.load().is_ok(),
        "rules and `unknown_category` can be unsure"
    );
}

#[test]
fn an_unsure_ladder_that_can_never_happen_is_refused() {
    let folder = support_with("[abstain]", "unsure = [\"abstain\"]\n\n[abstain]");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:46 error: `on.unsure` can never happen: nothing says when an answer is unsure",
    ]
    "#);
}

#[test]
fn the_abstain_value_matches_the_output_schema() {
    let folder = loan_with(
        "value = { decision = \"refer\" }",
        "value = { decision = \"maybe\", note = 1 }",
    );
    insta::assert_snapshot!(folder.told(), @r#"
    error: `abstain.value` does not match the output schema: `decision`: it must be one of "approve", "decline", "refer"
       --> systems/loan-default/system.toml:45:9
       |
    45 | value = { decision = "maybe", note = 1 }
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: callers rely on its shape as on any answer's

    error: `abstain.value` does not match the output schema: it has a member that the schema does not know
       --> systems/loan-default/system.toml:45:9
       |
    45 | value = { decision = "maybe", note = 1 }
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = help: callers rely on its shape as on any answer's

    2 errors
    "#);
}

#[test]
fn detectors_that_a_side_does_not_have_are_refused_not_ignored() {
    let folder = support_with("phrases = {", "injection = \"block\"\nphrases = {");
    insta::assert_snapshot!(folder.told(), @r#"
    error: `[guards.output]` has no detector `injection`; it has: secrets, pii, links, leakage, phrases
       --> systems/support-answer/system.toml:23:1
       |
    23 | injection = "block"
       | ^^^^^^^^^
       = help: take the line out: a control that would not run is refused, not ignored

    1 error
    "#);
}

#[test]
fn a_budget_needs_prices_in_its_currency() {
    let folder = support().with("prices.toml", "");
    insta::assert_snapshot!(folder.told(), @r#"
    error: model `primary` has no price, so `[budget]` could not be kept
       --> systems/support-answer/system.toml:13:9
       |
    13 | [models.primary]
       |         ^^^^^^^
       = help: add a [[price]] with provider = "openai" and model = "gpt-5-mini" to prices.toml

    1 error
    "#);
    let folder = support_with("per_unit = \"0.05 USD\"", "per_unit = \"0.05 EUR\"");
    insta::assert_snapshot!(folder.told(), @r#"
    error: `budget.per_unit` is not an amount of money: `0.05 EUR`
       --> systems/support-answer/system.toml:38:12
       |
    38 | per_unit = "0.05 EUR"
       |            ^^^^^^^^^^
       = help: it is in EUR, and the workspace's currency is USD: write it in USD, or set `server.currency`

    1 error
    "#);
    let folder = support_with("per_unit = \"0.05 USD\"", "per_unit = 0.05");
    insta::assert_snapshot!(folder.told(), @r#"
    error: `budget.per_unit` must be an amount of money, not a number
       --> systems/support-answer/system.toml:38:12
       |
    38 | per_unit = 0.05
       |            ^^^^
       = help: write it as text with its unit

    1 error
    "#);
}

#[test]
fn under_a_budget_an_answer_has_a_largest_size() {
    let folder = support_with("max_output_tokens = 800\n", "");
    insta::assert_snapshot!(folder.told(), @r#"
    error: what `primary` costs has no bound, so `[budget]` could not be kept
       --> systems/support-answer/system.toml:13:9
       |
    13 | [models.primary]
       |         ^^^^^^^
       = help: give it `max_output_tokens`: the most tokens that an answer may have

    error: what `backup` costs has no bound, so `[budget]` could not be kept
       --> systems/support-answer/system.toml:17:9
       |
    17 | [models.backup]
       |         ^^^^^^
       = help: give it `max_output_tokens`: the most tokens that an answer may have

    2 errors
    "#);
    let free = support_with("max_output_tokens = 800\n", "");
    let text = std::fs::read_to_string(free.path().join("systems/support-answer/system.toml"));
    let text = text
        .unwrap()
        .replace("per_unit", "# per_unit")
        .replace("per_day", "# per_day");
    let free = free.with("systems/support-answer/system.toml", &text);
    assert!(
        !free.told().contains("max_output_tokens"),
        "{}",
        free.told()
    );
}

#[test]
fn phrases_have_the_bounds_of_the_detector() {
    let lines: String = (0..10_001)
        .map(|number| format!("phrase {number}\n"))
        .collect();
    let folder = support_with("phrases = {", "phrases = { file = \"phrases.txt\",").with(
        "systems/support-answer/phrases.txt",
        &format!("{lines}{}\n", "a".repeat(1_025)),
    );
    let told = folder.told();
    assert!(told.contains("phrases: the limit is 10000"), "{told}");
    assert!(told.contains("has 1025 bytes: the limit is 1024"), "{told}");
    let fitting = support_with("phrases = {", "phrases = { file = \"phrases.txt\",")
        .with("systems/support-answer/phrases.txt", &"a".repeat(1_024));
    assert!(
        !fitting.told().contains("the limit is"),
        "{}",
        fitting.told()
    );
}

#[test]
fn files_stay_inside_the_workspace() {
    let folder = loan_with("onnx = \"model.onnx\"", "onnx = \"/etc/hostname\"");
    insta::assert_snapshot!(folder.told(), @r#"
    error: `/etc/hostname` is an absolute path
       --> systems/loan-default/system.toml:13:8
       |
    13 | onnx = "/etc/hostname"
       |        ^^^^^^^^^^^^^^^
       = help: name it relative to the folder of this file, within the workspace

    1 error
    "#);
    let outside = loan_with(
        "onnx = \"model.onnx\"",
        "onnx = \"../../../../../../../../etc/hostname\"",
    );
    assert!(
        outside.told().contains("is outside the workspace"),
        "{}",
        outside.told()
    );
    let link = loan_with("onnx = \"model.onnx\"", "onnx = \"link.onnx\"");
    std::os::unix::fs::symlink(
        "/etc/hostname",
        link.path().join("systems/loan-default/link.onnx"),
    )
    .unwrap();
    assert!(
        link.told().contains("`link.onnx` is outside the workspace"),
        "{}",
        link.told()
    );
    let missing = loan_with("onnx = \"model.onnx\"", "onnx = \"modle.onnx\"");
    insta::assert_snapshot!(missing.told(), @r#"
    error: the file `modle.onnx` is not there
       --> systems/loan-default/system.toml:13:8
       |
    13 | onnx = "modle.onnx"
       |        ^^^^^^^^^^^^
       = help: did you mean `model.onnx`?

    1 error
    "#);
}

#[test]
fn schemas_are_checked_where_they_stand() {
    let folder = loan().with("systems/loan-default/input.schema.json", "{\n  \"type\": \"object\",\n  \"properties\": {\n    \"loan_amount\": { \"type\": \"nummer\" }\n  }\n}\n");
    insta::assert_snapshot!(folder.told(), @r#"
    error: "nummer" is not valid under any of the schemas listed in the 'anyOf' keyword
      --> systems/loan-default/input.schema.json:4:22
      |
    4 |     "loan_amount": { "type": "nummer" }
      |                      ^^^^^^
      = help: `type` is one of "number", "integer", "string", "boolean", "object", "array" and "null", or a list of them

    1 error
    "#);
    let folder = loan().with(
        "systems/loan-default/output.schema.json",
        "{\n  \"type\": \"object\",\n}\n",
    );
    insta::assert_snapshot!(folder.told(), @r#"
    error: this is not JSON: trailing comma
      --> systems/loan-default/output.schema.json:3:1
      |
    3 | }
      | ^

    1 error
    "#);
}

#[test]
fn expressions_are_held_against_the_schema() {
    let folder = loan_with("inputs.loan_amount > 50000", "inputs.loan_amout > 50000.0");
    insta::assert_snapshot!(folder.told(), @r#"
    error: the schema has no `inputs.loan_amout`: did you mean `loan_amount`?
       --> systems/loan-default/system.toml:24:10
       |
    24 | unsure = "confidence < 0.75 || inputs.loan_amout > 50000.0"   # business logic (CEL), not only a probability
       |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    1 error
    "#);
    let folder = loan_with("confidence < 0.75 ||", "confidence < 0.75 |");
    insta::assert_snapshot!(folder.told(), @r#"
    error: the expression is not CEL at line 1, column 19: Syntax error: token recognition error at: '| '
       --> systems/loan-default/system.toml:24:29
       |
    24 | unsure = "confidence < 0.75 | inputs.loan_amount > 50000"   # business logic (CEL), not only a probability
       |                             ^

    1 error
    "#);
    let folder = loan_with(
        "unknown_category = \"unsure\"",
        "unknown_category = \"unsure\"\n[input.columns]\nincom = { impute = 0 }\nhome = { impute = 3 }\n[input.rules]\nfair = \"inputs.loan > 2.0\"",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:22 error: the schema has no `incom`: did you mean `income`?",
        "system.toml:23 error: its type must be string",
        "system.toml:25 error: the schema has no `loan`: did you mean `loan_amount`?",
    ]
    "#);
}

#[test]
fn rules_are_checked_with_their_answers() {
    let rules = "[[rule]]\nname = \"small\"\nwhen = \"inputs.amount < 2000\"\nanswer = { decision = \"yes\" }\nconfidence = 2\n\n[[rule]]\nname = \"small\"\nwhen = \"true\"\nanswr = 1\n";
    let folder = loan().with("systems/loan-default/rules.toml", rules);
    insta::assert_snapshot!(folder.told(), @r#"
    error: the schema has no `inputs.amount`: it has `loan_amount`, `income`, `home` and `size_of_downpayment`
      --> systems/loan-default/rules.toml:3:8
      |
    3 | when = "inputs.amount < 2000"
      |        ^^^^^^^^^^^^^^^^^^^^^^

    error: the answer of rule `small` does not match the output schema: it must be one of "approve", "decline", "refer"
      --> systems/loan-default/rules.toml:4:10
      |
    4 | answer = { decision = "yes" }
      |          ^^^^^^^^^^^^^^^^^^^^

    error: `rule.confidence` must be from 0 to 1
      --> systems/loan-default/rules.toml:5:14
      |
    5 | confidence = 2
      |              ^

    error: `[[rule]]` has no `answer`
      --> systems/loan-default/rules.toml:7:1
      |
    7 | [[rule]]
      | ^^^^^^^^
      = help: give its answer, as in answer = { decision = "refer" }

    error: the name `small` is taken
      --> systems/loan-default/rules.toml:8:8
      |
    8 | name = "small"
      |        ^^^^^^^
      = help: each rule has a name of its own: records show it

    error: `[[rule]]` has no key `answr`
       --> systems/loan-default/rules.toml:10:1
       |
    10 | answr = 1
       | ^^^^^
       = help: did you mean `answer`?

    6 errors
    "#);
}

#[test]
fn a_prompt_uses_the_variables_of_the_schema() {
    let folder = support().with(
        "systems/support-answer/prompt.md",
        "Answer\n{{ qestion }} in {{ language }}.\n",
    );
    insta::assert_snapshot!(folder.told(), @r#"
    error: the input schema has no `qestion`: did you mean `question`?
      --> systems/support-answer/prompt.md:2:4
      |
    2 | {{ qestion }} in {{ language }}.
      |    ^^^^^^^

    error: the input schema has no `language`: it has `question`
      --> systems/support-answer/prompt.md:2:21
      |
    2 | {{ qestion }} in {{ language }}.
      |                     ^^^^^^^^

    2 errors
    "#);
    let folder = support().with("systems/support-answer/prompt.md", "Answer\n{% for x %}\n");
    insta::assert_snapshot!(folder.told(), @r#"
    error: this is not a template: unexpected end of block, expected in
      --> systems/support-answer/prompt.md:2:10
      |
    2 | {% for x %}
      |          ^^

    1 error
    "#);
}

#[test]
fn models_say_what_they_are() {
    let folder = support_with("provider = \"openai\"", "provder = \"openai\"");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:13 error: `models.primary` does not say what it is",
    ]
    "#);
    let folder = support_with("provider = \"openai\"", "provider = \"opnai\"");
    insta::assert_snapshot!(folder.told(), @r#"
    error: there is no provider `opnai`
       --> systems/support-answer/system.toml:14:12
       |
    14 | provider = "opnai"
       |            ^^^^^^^
       = help: did you mean `openai`?

    1 error
    "#);
    let folder = support_with(
        "temperature = 0",
        "temprature = 0\nmax_tokens = 5\nstream = true",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:16 warning: `temprature` is handed to the provider as it is",
        "system.toml:17 error: `max_tokens` goes by another name here",
        "system.toml:18 error: `stream` is not a parameter that can be fixed",
    ]
    "#);
    let folder = loan_with(
        "[models.primary]",
        "[models.review]\nrules = \"rules.toml\"\n[models.first]",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:12 error: no model is called `primary`",
        "system.toml:12 error: no model may be called `review`: it is the name of a step",
    ]
    "#);
}

#[test]
fn an_http_predictor_sends_its_key_to_its_provider_alone() {
    let model = |text: &str| {
        loan_with("onnx = \"model.onnx\"", text).with(
            "plimsoll.toml",
            "[providers.scorer]\nprotocol = \"http\"\nbase_url = \"https://score.example.com\"\n",
        )
    };
    let folder = model(
        "http = \"/predict\"\nprovider = \"scorer\"\nrequest = \"{{ inputs | tojson }}\"\nlabel = \"/label\"\nanswer = { decision = \"label == 1 ? 'approve' : 'decline'\" }",
    );
    let system = folder.workspace().systems.into_values().next().unwrap();
    let plimsoll_core::manifest::ModelSpec::Http(spec) = &system.manifest.models["primary"] else {
        panic!("not http")
    };
    assert_eq!(spec.url, "https://score.example.com/predict");
    let folder = model(
        "http = \"https://score.example.com.evil.example/predict\"\nprovider = \"scorer\"\nlabel = \"label\"\nrequest = \"{{ row }}\"\nanswer = { decison = \"labl\" }",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:13 error: the key of provider `scorer` would go to another server than its own",
        "system.toml:15 error: `label` is not a JSON Pointer",
        "system.toml:16 error: there is no variable `row` here: a request is made from `inputs`",
        "system.toml:17 error: the output schema has no `decison`",
        "system.toml:17 error: there is no variable `labl` here: did you mean `label`?",
    ]
    "#);
}

#[test]
fn a_listener_that_others_can_reach_needs_keys() {
    let folder = loan().with("plimsoll.toml", "[server]\ndata_address = \"0.0.0.0:8080\"\ncontrol_address = \"0.0.0.0:8081\"\ndefault_system = \"loan-defualt\"\ntls = { cert = \"a.pem\" }\n");
    insta::assert_snapshot!(folder.told(), @r#"
    error: other machines can reach `0.0.0.0:8080`, and there are no keys: anyone could ask
      --> plimsoll.toml:2:16
      |
    2 | data_address = "0.0.0.0:8080"
      |                ^^^^^^^^^^^^^^
      = help: write `require_keys = true` and give keys with `plimsoll key create`, add a `[keys.NAME]` with its `secret` and `systems`, or listen on 127.0.0.1

    error: other machines can reach `0.0.0.0:8081`, and operators' tokens go over plain HTTP
      --> plimsoll.toml:3:19
      |
    3 | control_address = "0.0.0.0:8081"
      |                   ^^^^^^^^^^^^^^
      = help: listen on 127.0.0.1, and reach it through a tunnel such as `ssh -L`

    error: there is no system `loan-defualt`
      --> plimsoll.toml:4:18
      |
    4 | default_system = "loan-defualt"
      |                  ^^^^^^^^^^^^^^
      = help: did you mean `loan-default`?

    error: `server.tls` is not in this version
      --> plimsoll.toml:5:1
      |
    5 | tls = { cert = "a.pem" }
      | ^^^
      = help: let a proxy in front end TLS, and keep `data_address` on the loopback address

    4 errors
    "#);
}

#[test]
fn a_broken_system_leaves_the_others_usable() {
    let folder = loan()
        .with("systems/broken/system.toml", "purpose = 1\n")
        .with("systems/empty/System.toml", "");
    let inspection = plimsoll_spec::inspect(folder.path(), &plimsoll_spec::ProcessEnvironment);
    let workspace = inspection.workspace.expect("`loan-default` is right");
    assert_eq!(workspace.systems.len(), 1);
    insta::assert_snapshot!(inspection.problems.to_string(), @r#"
    error: the file has no `stakes`
      --> systems/broken/system.toml
      = help: say how much depends on its answers: low, limited or high

    error: the file has no `models`
      --> systems/broken/system.toml
      = help: give it at least [models.primary]

    error: `purpose` must be a text, not a number
      --> systems/broken/system.toml:1:11
      |
    1 | purpose = 1
      |           ^

    error: the folder has no `system.toml`
      --> systems/empty
      = help: rename `System.toml`

    4 errors
    "#);
}

#[test]
fn cases_are_checked_with_the_system() {
    let cases = "// a comment\n{\"name\": \"a\", \"input\": {}, \"models\": {\"primry\": {\"fail\": \"slow\"}}, \"expect\": {\"outcome\": \"servd\", \"path\": [\"rules\", \"reviw\"]}}\n{\"name\": \"a\", \"input\": {}, \"messages\": [], \"expect\": {\"kind\": \"late\"}}\n{\"name\": \"a\", \"expect\": {}, \"input\": {}, \"models\": {\"rules\": {\"fail\": \"modl_reset\"}}}\n";
    let folder = loan().with("systems/loan-default/cases.jsonl", cases);
    insta::assert_snapshot!(folder.told(), @r#"
    error: there is no model `primry`
      --> systems/loan-default/cases.jsonl:2:39
      |
    2 | {"name": "a", "input": {}, "models": {"primry": {"fail": "slow"}}, "expect": {"outcome": "servd", "path": ["rules", "reviw"]}}
      |                                       ^^^^^^^^
      = help: did you mean `primary`?

    error: `servd` is not an outcome
      --> systems/loan-default/cases.jsonl:2:90
      |
    2 | {"name": "a", "input": {}, "models": {"primry": {"fail": "slow"}}, "expect": {"outcome": "servd", "path": ["rules", "reviw"]}}
      |                                                                                          ^^^^^^^
      = help: did you mean `served`?

    error: there is no model `reviw`
      --> systems/loan-default/cases.jsonl:2:117
      |
    2 | {"name": "a", "input": {}, "models": {"primry": {"fail": "slow"}}, "expect": {"outcome": "servd", "path": ["rules", "reviw"]}}
      |                                                                                                                     ^^^^^^^
      = help: the models are `primary` and `rules`

    error: this is not a case: unknown variant `late`, expected one of `malformed`, `adversarial`, `unavailable`, `slow`, `wrong`, `unsure`, `over_budget`, `overload`
      --> systems/loan-default/cases.jsonl:3:68
      |
    3 | {"name": "a", "input": {}, "messages": [], "expect": {"kind": "late"}}
      |                                                                    ^

    error: the case `a` stands on line 2 already
      --> systems/loan-default/cases.jsonl:4:2
      |
    4 | {"name": "a", "expect": {}, "input": {}, "models": {"rules": {"fail": "modl_reset"}}}
      |  ^^^^^^
      = help: give it another name

    error: no model fails with `modl_reset`
      --> systems/loan-default/cases.jsonl:4:71
      |
    4 | {"name": "a", "expect": {}, "input": {}, "models": {"rules": {"fail": "modl_reset"}}}
      |                                                                       ^^^^^^^^^^^^
      = help: did you mean `model_reset`?

    6 errors
    "#);
}

#[test]
fn what_a_lenient_parser_lets_pass_is_refused() {
    let schema =
        crate::folder::LOAN_INPUT.replace("\"required\"", "\"type\": \"object\",\n  \"required\"");
    let folder = loan().with("systems/loan-default/input.schema.json", &schema);
    insta::assert_snapshot!(folder.told(), @r#"
    error: this is not JSON as it should be: the same key stands twice in one object
      --> systems/loan-default/input.schema.json:9:4
      |
    9 |   "type": "object",
      |    ^

    1 error
    "#);
    let folder = loan().with("prices.toml", "[price]\nmodel = \"a\"\n");
    insta::assert_snapshot!(folder.told(), @r#"
    error: `price` must be a list of tables
      --> prices.toml:1:2
      |
    1 | [price]
      |  ^^^^^
      = help: write each as `[[price]]`

    1 error
    "#);
}
