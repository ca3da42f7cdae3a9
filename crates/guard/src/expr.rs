//! The operator's own rules: expressions in CEL, the Common Expression Language.
//!
//! Everything that can be known to be wrong is told when an expression is compiled: variables and
//! functions that do not exist, patterns that are no regular expressions. JSON has one kind of
//! number, so every number is a CEL `double` here, those written in the expression too
//! (`inputs.x * 2` works); only indexes, arguments of functions and arithmetic with `size()` or
//! `int()` stay integers. A member that is `null` is not there for `has()`. Evaluation is bounded:
//! it stops after [`Expr::STEPS_MAX`] values, and lists written out cannot be looped over within
//! loops. No error quotes a caller's value.

mod check;
mod tree;
mod view;

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::thread;

use cel::common::value::Val;
use cel::{Context, Env, ExecutionError, IdedExpr};
use serde_json::{Map, Value};

use view::Variables;

/// The standard library and `math`.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    environment
        .add_extension(cel::extensions::math)
        .expect("`math` clashes with nothing in the standard library");
    Arc::new(environment)
});

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expr {
    text: String,
    tree: Arc<IdedExpr>,
}

/// Why an expression cannot be compiled or evaluated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ExprError {
    /// It is longer than [`Expr::TEXT_MAX`].
    #[error("the expression has {length} bytes: the limit is {}", Expr::TEXT_MAX)]
    TooLong {
        /// How long it is.
        length: usize,
    },
    /// It is not CEL.
    #[error("the expression is not CEL at line {line}, column {column}: {message}")]
    Syntax {
        /// The line within the expression, from 1.
        line: usize,
        /// The column within the line, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// It names a variable that is not there.
    #[error("there is no variable `{name}` here{}", fmt_hint(.suggestion, .known))]
    UnknownVariable {
        /// The name as written.
        name: String,
        /// The variable that was probably meant.
        suggestion: Option<String>,
        /// The variables that there are.
        known: Vec<String>,
    },
    /// It calls a function that is not there.
    #[error("there is no function `{name}`{}", fmt_hint(.suggestion, &[]))]
    UnknownFunction {
        /// The name as written.
        name: String,
        /// The function that was probably meant.
        suggestion: Option<String>,
    },
    /// It could run for very long.
    #[error("the expression could run for very long: {0}")]
    Unbounded(&'static str),
    /// The pattern of `matches` is no regular expression.
    #[error("the pattern of `matches` is not a regular expression that can be used here")]
    Pattern,
    /// It names a member that is not there.
    #[error("there is no `{0}` in the values: ask with has(…) first if it may be missing")]
    Missing(String),
    /// Its parts do not fit together.
    #[error("the expression cannot be evaluated: {0}")]
    Evaluation(String),
    /// It should say true or false.
    #[error("the expression must give true or false: it gave a value of type {0}")]
    NotBool(String),
}

fn fmt_hint(suggestion: &Option<String>, known: &[String]) -> String {
    match suggestion {
        Some(name) => format!(": did you mean `{name}`?"),
        None if known.is_empty() => String::new(),
        None => format!(": it may use {}", known.join(", ")),
    }
}

/// The variables of one evaluation, borrowed.
#[derive(Clone, Debug, Default)]
pub struct Scope<'v> {
    variables: Vec<(&'v str, Bound<'v>)>,
}

/// What a variable is bound to.
#[derive(Clone, Copy, Debug)]
enum Bound<'v> {
    Json(&'v Value),
    Object(&'v Map<String, Value>),
    Number(f64),
}

impl<'v> Scope<'v> {
    /// No variables.
    pub const fn new() -> Self {
        Self {
            variables: Vec::new(),
        }
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: &'v str, value: &'v Value) -> Self {
        self.variables.push((name, Bound::Json(value)));
        self
    }

    /// Adds a variable that is an object, as a row is.
    #[must_use]
    pub fn with_object(mut self, name: &'v str, object: &'v Map<String, Value>) -> Self {
        self.variables.push((name, Bound::Object(object)));
        self
    }

    /// Adds a variable that is a number.
    #[must_use]
    pub fn with_number(mut self, name: &'v str, number: f64) -> Self {
        self.variables.push((name, Bound::Number(number)));
        self
    }
}

impl Expr {
    /// The longest text, in bytes.
    pub const TEXT_MAX: usize = 4096;

    /// How deeply brackets may be nested.
    pub const NESTING_MAX: usize = 24;

    /// How deep the tree of a compiled expression may be: as many terms can be in one sum. `&&` and
    /// `||` are balanced, so that far more conditions fit.
    pub const DEPTH_MAX: usize = 40;

    /// The most values that one evaluation may look at.
    pub const STEPS_MAX: u32 = 250_000;

    /// Compiles `text`, which may use `variables` and no others.
    ///
    /// # Errors
    /// If it is not CEL, or could never be evaluated with those variables.
    pub fn compile(text: &str, variables: &[&str]) -> Result<Self, ExprError> {
        if text.len() > Self::TEXT_MAX {
            let length = text.len();
            return Err(ExprError::TooLong { length });
        }
        if tree::nesting(text) > Self::NESTING_MAX {
            return Err(ExprError::Unbounded("it is nested too deeply"));
        }
        let tree = parse(text)?;
        if tree::depth(&tree) > Self::DEPTH_MAX {
            return Err(ExprError::Unbounded(
                "it is one very long chain: use brackets, or rules",
            ));
        }
        let tree = check::checked(tree, variables)?;
        let text = text.to_owned();
        Ok(Self {
            text,
            tree: Arc::new(tree),
        })
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The members of `variable` that it names, as `x` in `inputs.x` and `inputs["x"]`, sorted.
    pub fn members_of(&self, variable: &str) -> Vec<String> {
        tree::members_of(&self.tree, variable)
    }

    /// Whether it looks at `variable` otherwise than at a member that is written out: then at any of them.
    pub fn names_whole(&self, variable: &str) -> bool {
        tree::names_whole(&self.tree, variable)
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// If it cannot be evaluated, or gives something other than true or false.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, ExprError> {
        self.evaluate(scope, |result| match view::as_bool(result) {
            Some(holds) => Ok(holds),
            None => Err(ExprError::NotBool(result.get_type().name().to_owned())),
        })
    }

    /// What it gives, as JSON; whole numbers are written without a fraction.
    ///
    /// # Errors
    /// If it cannot be evaluated, or gives what JSON cannot say.
    pub fn value(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        self.evaluate(scope, |result| {
            view::to_json(result).ok_or_else(|| {
                let name = result.get_type().name();
                ExprError::Evaluation(format!("a value of type {name} has no form in JSON"))
            })
        })
    }

    fn evaluate<T>(
        &self,
        scope: &Scope<'_>,
        take: impl FnOnce(&dyn Val) -> Result<T, ExprError>,
    ) -> Result<T, ExprError> {
        let variables = Variables::new(scope);
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&variables);
        let result = cel::Value::resolve_val(&self.tree, &context);
        if variables.are_exhausted() {
            let most = "it looked at more values than one evaluation may";
            return Err(ExprError::Evaluation(most.to_owned()));
        }
        match result {
            Ok(value) => take(value.as_ref()),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Says what went wrong without quoting the values it went wrong with.
    fn explain(&self, error: ExecutionError) -> ExprError {
        let message = match error {
            ExecutionError::NoSuchKey(key) if self.text.contains(key.as_str()) => {
                return ExprError::Missing(key.to_string());
            }
            ExecutionError::NoSuchKey(_) => "a key is not in the map".to_owned(),
            ExecutionError::NoSuchOverload(overload) => overload.to_string(),
            ExecutionError::UnexpectedType { got, want } => {
                format!("a value is of type {got} where {want} is needed")
            }
            ExecutionError::UndeclaredReference(name) => format!("`{name}` has no value here"),
            ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
                let (left, right) = (left.type_of(), right.type_of());
                format!("`{operator}` does not work on {left} and {right}")
            }
            ExecutionError::ValuesNotComparable(left, right) => {
                let (left, right) = (left.type_of(), right.type_of());
                format!("{left} and {right} cannot be compared")
            }
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                "it divides by zero".to_owned()
            }
            ExecutionError::Overflow(..) => "a whole number overflows".to_owned(),
            ExecutionError::IndexOutOfBounds(_) => "an index is beyond the list's end".to_owned(),
            ExecutionError::FunctionError { function, .. } => format!("`{function}` failed"),
            _ => "its parts do not fit together".to_owned(),
        };
        ExprError::Evaluation(message)
    }
}

/// Parses on a stack of its own: the parser takes up to 200 KiB of it for every bracket.
fn parse(text: &str) -> Result<IdedExpr, ExprError> {
    const STACK_BYTES: usize = 64 << 20;
    let parsed = thread::scope(|scope| {
        let parser = thread::Builder::new().stack_size(STACK_BYTES);
        let parser = parser.spawn_scoped(scope, || ENVIRONMENT.parser().parse(text));
        parser.ok().and_then(|parser| parser.join().ok())
    });
    let Some(parsed) = parsed else {
        let message = "the parser could not be run".to_owned();
        return Err(ExprError::Evaluation(message));
    };
    parsed.map_err(|errors| {
        let first = errors.errors.first();
        ExprError::Syntax {
            line: first.map_or(1, |error| error.pos.0.max(1).unsigned_abs()),
            column: first.map_or(1, |error| error.pos.1.max(1).unsigned_abs()),
            message: first.map_or_else(String::new, |error| error.msg.clone()),
        }
    })
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value_of(text: &str, inputs: &Value) -> Result<Value, ExprError> {
        let expr = Expr::compile(text, &["inputs", "confidence"])?;
        expr.value(
            &Scope::new()
                .with("inputs", inputs)
                .with_number("confidence", 0.7),
        )
    }

    fn holds(text: &str, inputs: Value) -> bool {
        value_of(text, &inputs) == Ok(json!(true))
    }

    #[test]
    fn whole_and_decimal_numbers_mix() {
        for text in [
            "inputs.x > 5",
            "inputs.x > 5.0",
            "inputs.x == 6",
            "inputs.x * 2 == 12.0",
            "(inputs.x + 1) / 2 == 3.5",
            "-inputs.x + 10 > 0",
            "inputs.x in [1, 6]",
            "[1, 2, 3].map(i, i * 2)[1] == 4",
            "inputs.l.exists(i, i * 2 == 4)",
            "inputs.l[1] == 2",
            "size(inputs.l) + 1 == 3",
            "size(inputs.l) * 2 > inputs.x - 3",
            "inputs.l.exists_one(i, i + 1 == 3)",
            "inputs['x'] >= 6",
            "math.abs(inputs.x - 10) == 4",
            "math.greatest(inputs.x, 9) == 9",
            "{'a': 1}['a'] == 1",
            "int(inputs.x) % 4 == 2",
            "confidence < 0.75 || inputs.missing",
            "string(inputs.x) == '6'",
            "6u == inputs.x",
            "inputs.x > (1 + 2) * 1",
            "inputs.l.filter(i, i > 1).size() == 1",
            "inputs.l.all(i, inputs.o.exists(k, inputs.o[k] >= i))",
        ] {
            assert!(
                holds(text, json!({"x": 6, "l": [1, 2], "o": {"a": 2}})),
                "{text}: {:?}",
                value_of(text, &json!({"x": 6, "l": [1, 2], "o": {"a": 2}}))
            );
        }
    }

    #[test]
    fn null_is_not_there_and_missing_is_an_error() {
        assert!(holds(
            "has(inputs.a) && !has(inputs.b) && !has(inputs.c)",
            json!({"a": 1, "b": null})
        ));
        assert!(holds(
            "inputs.b == null && inputs.a != null",
            json!({"a": 1, "b": null})
        ));
        assert!(holds(
            "has(inputs.o.a) && !has(inputs.o.b)",
            json!({"o": {"a": 0, "b": null}})
        ));
        assert_eq!(
            value_of("inputs.c > 1", &json!({})),
            Err(ExprError::Missing("c".into()))
        );
        assert!(matches!(
            value_of("inputs.b > 1", &json!({"b": null})),
            Err(ExprError::Evaluation(_))
        ));
    }

    #[test]
    fn results_become_json_in_a_fixed_form() {
        let inputs = json!({"x": 4, "name": "é", "o": {"z": 1, "a": [true, null]}});
        let cases = [
            ("inputs.x * 100", json!(400)),
            ("inputs.x / 8", json!(0.5)),
            ("size(inputs.name)", json!(1)),
            (
                "{'b': inputs.x, 'a': [inputs.name, null]}",
                json!({"a": ["é", null], "b": 4}),
            ),
            ("inputs.o", json!({"a": [true, null], "z": 1})),
            (
                "inputs",
                json!({"name": "é", "o": {"a": [true, null], "z": 1}, "x": 4}),
            ),
            (
                "inputs == inputs && inputs.o == {'z': 1, 'a': [true, null]}",
                json!(true),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                value_of(text, &inputs).map(|v| v.to_string()),
                Ok(expected.to_string()),
                "{text}"
            );
        }
        assert!(matches!(
            value_of("inputs.x / 0", &inputs),
            Err(ExprError::Evaluation(_))
        ));
    }

    #[test]
    fn names_that_do_not_exist_are_told_when_compiling() {
        let error = Expr::compile("input.x > 1", &["inputs", "confidence"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no variable `input` here: did you mean `inputs`?"
        );
        let error = Expr::compile("zzz", &["inputs", "confidence"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no variable `zzz` here: it may use inputs, confidence"
        );
        let error = Expr::compile("inputs.name.startWith('a')", &["inputs"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no function `startWith`: did you mean `startsWith`?"
        );
        assert!(Expr::compile("inputs.l.all(x, x > 1) && x", &["inputs"]).is_err());
        assert!(Expr::compile("inputs.l.all(x, x > 1 && inputs.y)", &["inputs"]).is_ok());
        assert!(Expr::compile("math.sqrt(2)", &["inputs"]).is_ok());
    }

    #[test]
    fn what_is_not_cel_is_told_with_its_place() {
        let error = Expr::compile("inputs.x >\n  && 3", &["inputs"]).unwrap_err();
        let place = matches!(error, ExprError::Syntax { line: 2, .. });
        assert!(place, "{error}");
        assert!(Expr::compile("", &["inputs"]).is_err());
        let long = format!("{} true", " ".repeat(Expr::TEXT_MAX));
        assert!(matches!(
            Expr::compile(&long, &[]),
            Err(ExprError::TooLong { .. })
        ));
        for (open, close) in [
            ("(", ")"),
            ("[", "]"),
            ("!", ""),
            ("-", ""),
            ("true ? 1 : ", ""),
        ] {
            let deep = format!("{}1{}", open.repeat(300), close.repeat(300));
            assert!(Expr::compile(&deep, &[]).is_err(), "{open}");
        }
        for link in [" + 1", " && true", ".a", "[0]", " < 2", " in []"] {
            let long = format!("1{}", link.repeat(500));
            drop(Expr::compile(&long, &[]).map(|expr| expr.holds(&Scope::new())));
        }
    }

    #[test]
    fn patterns_are_checked_when_compiling() {
        assert!(holds(
            "inputs.z.matches('^[0-9]{5}$')",
            json!({"z": "02139"})
        ));
        let bad = Expr::compile("inputs.z.matches('(')", &["inputs"]).unwrap_err();
        assert_eq!(bad, ExprError::Pattern);
        let chosen = Expr::compile("inputs.z.matches(inputs.p)", &["inputs"]).unwrap_err();
        assert!(matches!(chosen, ExprError::Unbounded(_)));
    }

    #[test]
    fn loops_within_loops_run_out_of_steps() {
        let inputs = json!({"l": vec![1; 2000]});
        assert!(holds("inputs.l.all(i, i == 1)", inputs.clone()));
        let error = value_of("inputs.l.all(a, inputs.l.all(b, a == b))", &inputs).unwrap_err();
        assert!(error.to_string().contains("more values"), "{error}");
        let error = Expr::compile("[1, 2].all(a, [1, 2].all(b, a < b))", &[]).unwrap_err();
        assert!(matches!(error, ExprError::Unbounded(_)));
    }

    #[test]
    fn errors_do_not_quote_the_callers_values() {
        let inputs = json!({"s": "hunter2", "o": {"k": 1}, "x": 1});
        for text in [
            "inputs.s > 5",
            "inputs.s + 1",
            "inputs.o[inputs.s]",
            "inputs.s * inputs.s",
            "inputs.s && true",
            "inputs.s",
            "int(inputs.s) > 1",
            "inputs.x[inputs.s]",
            "inputs.s.all(c, true)",
            "!inputs.s",
            "-inputs.s",
            "inputs[inputs.s]",
        ] {
            let expr = Expr::compile(text, &["inputs"]).unwrap();
            let error = expr
                .holds(&Scope::new().with("inputs", &inputs))
                .unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(!told.contains("hunter2"), "{text}: {told}");
        }
    }

    #[test]
    fn the_members_that_an_expression_names_are_known() {
        let text = "inputs.a > 1 || has(inputs.b.c) || inputs['d'] == 1 || size(inputs.l) > 0";
        let expr = Expr::compile(text, &["inputs"]).unwrap();
        assert_eq!(expr.members_of("inputs"), ["a", "b", "d", "l"]);
    }

    #[test]
    fn every_function_that_is_offered_exists() {
        let calls = [
            "math.abs(-1)",
            "bool('true')",
            "bytes('a')",
            "math.ceil(1.5)",
            "'a'.contains('a')",
            "double('1')",
            "dyn(1)",
            "'a'.endsWith('a')",
            "math.floor(1.5)",
            "int(1.0)",
            "math.isFinite(1)",
            "math.isInf(1)",
            "math.isNaN(1)",
            "'a'.matches('a')",
            "math.round(1.5)",
            "math.sign(-2)",
            "size('a')",
            "math.sqrt(4)",
            "'a'.startsWith('a')",
            "string(1)",
            "math.trunc(1.5)",
            "type(1) == double",
            "uint(1.0)",
        ];
        for call in calls {
            let expr = Expr::compile(&format!("type({call}) == type({call})"), &[]).unwrap();
            assert_eq!(expr.holds(&Scope::new()), Ok(true), "{call}");
        }
        for name in check::FUNCTIONS {
            let call = format!("{name}(");
            assert!(calls.iter().any(|tried| tried.contains(&call)), "{name}");
        }
    }
}
