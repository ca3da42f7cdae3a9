//! What is checked, and changed, when an expression is compiled.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr as Node, LiteralValue, SelectExpr, operators,
};
use cel::common::types::{CelDouble, CelString};
use cel::{Context, IdedExpr};

use super::{ENVIRONMENT, ExprError};
use crate::names::nearest;

/// The functions that an operator may call, beside the operators.
pub(super) const FUNCTIONS: &[&str] = &[
    "abs",
    "bool",
    "bytes",
    "ceil",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "floor",
    "int",
    "isFinite",
    "isInf",
    "isNaN",
    "matches",
    "round",
    "sign",
    "size",
    "sqrt",
    "startsWith",
    "string",
    "trunc",
    "type",
    "uint",
];

/// What `math.greatest` and `math.least` are expanded to.
const EXTREMES: [&str; 2] = ["math.@max", "math.@min"];

/// What macros are written as: only for suggestions, since they are expanded by the parser.
const MACROS: &[&str] = &[
    "all",
    "exists",
    "exists_one",
    "filter",
    "has",
    "map",
    "greatest",
    "least",
];

/// Names that are types, for `type(x) == int`.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// Checks `tree` and brings its numbers and `has` into the form in which JSON is seen.
pub(super) fn checked(mut tree: IdedExpr, variables: &[&str]) -> Result<IdedExpr, ExprError> {
    let mut check = Check {
        variables,
        bound: Vec::new(),
    };
    check.visit(&mut tree, false)?;
    Ok(tree)
}

struct Check<'n> {
    variables: &'n [&'n str],
    /// The names that the loops around bind.
    bound: Vec<String>,
}

impl Check<'_> {
    /// `keep_whole`: whether numbers written here stay whole.
    fn visit(&mut self, tree: &mut IdedExpr, keep_whole: bool) -> Result<(), ExprError> {
        match &mut tree.expr {
            Node::Unspecified => Ok(()),
            Node::Literal(literal) => {
                if !keep_whole {
                    make_double(literal);
                }
                Ok(())
            }
            Node::Ident(name) => self.variable(name),
            Node::Select(select) => {
                self.visit(&mut select.operand, keep_whole)?;
                if select.test {
                    *tree = without_null(select);
                }
                Ok(())
            }
            Node::Call(call) => self.call(call, keep_whole),
            Node::List(list) => {
                let mut items = list.elements.iter_mut();
                items.try_for_each(|item| self.visit(item, keep_whole))
            }
            Node::Map(map) => {
                let mut entries = map.entries.iter_mut();
                entries.try_for_each(|entry| self.entry(&mut entry.expr))
            }
            Node::Comprehension(comprehension) => self.comprehension(comprehension),
            Node::Struct(made) => Err(ExprError::UnknownFunction {
                name: made.type_name.clone(),
                suggestion: None,
            }),
        }
    }

    fn entry(&mut self, entry: &mut EntryExpr) -> Result<(), ExprError> {
        match entry {
            EntryExpr::StructField(field) => self.visit(&mut field.value, false),
            EntryExpr::MapEntry(entry) => {
                self.visit(&mut entry.key, true)?;
                self.visit(&mut entry.value, false)
            }
        }
    }

    fn variable(&self, name: &str) -> Result<(), ExprError> {
        let is_bound = name.starts_with('@') || self.bound.iter().any(|bound| bound == name);
        if is_bound || self.variables.contains(&name) || TYPES.contains(&name) {
            return Ok(());
        }
        Err(ExprError::UnknownVariable {
            name: name.to_owned(),
            suggestion: nearest(name, self.variables),
            known: self
                .variables
                .iter()
                .map(|&known| known.to_owned())
                .collect(),
        })
    }

    fn call(&mut self, call: &mut CallExpr, keep_whole: bool) -> Result<(), ExprError> {
        let is_operator = !call
            .func_name
            .starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_operator {
            check_function(call)?;
        }
        if let Some(target) = &mut call.target
            && !is_math(target)
        {
            self.visit(target, false)?;
        }
        let whole: [bool; 2] = match call.func_name.as_str() {
            operators::INDEX => [false, true],
            operators::MODULO => [true, true],
            operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE => {
                let whole = keep_whole || call.args.iter().any(is_whole);
                [whole, whole]
            }
            operators::NEGATE => [keep_whole; 2],
            // `math.…` takes doubles; what else has numbers for arguments counts with them.
            _ if is_operator || EXTREMES.contains(&call.func_name.as_str()) => [false; 2],
            _ if call.target.as_ref().is_some_and(|target| is_math(target)) => [false; 2],
            _ => [true; 2],
        };
        for (index, argument) in call.args.iter_mut().enumerate() {
            self.visit(argument, whole[index.min(1)])?;
        }
        Ok(())
    }

    fn comprehension(&mut self, loops: &mut ComprehensionExpr) -> Result<(), ExprError> {
        let is_within_loop = !self.bound.is_empty();
        if is_within_loop && matches!(loops.iter_range.expr, Node::List(_) | Node::Map(_)) {
            let what = "a list that is written out is looped over within a loop";
            return Err(ExprError::Unbounded(what));
        }
        self.visit(&mut loops.iter_range, false)?;
        let counts = is_count(&loops.accu_init);
        self.visit(&mut loops.accu_init, counts)?;
        let before = self.bound.len();
        self.bound.push(loops.iter_var.clone());
        self.bound.extend(loops.iter_var2.clone());
        self.bound.push(loops.accu_var.clone());
        self.visit(&mut loops.loop_cond, counts)?;
        self.visit_step(&mut loops.loop_step, counts)?;
        self.visit(&mut loops.result, counts)?;
        self.bound.truncate(before);
        Ok(())
    }

    /// The step of `exists_one` adds to a count, which stays whole; the operator's part does not.
    fn visit_step(&mut self, step: &mut IdedExpr, counts: bool) -> Result<(), ExprError> {
        if !counts {
            return self.visit(step, false);
        }
        let Node::Call(call) = &mut step.expr else {
            return self.visit(step, false);
        };
        let mut arguments = call.args.iter_mut().enumerate();
        arguments.try_for_each(|(index, argument)| self.visit(argument, index > 0))
    }
}

/// Whether a comprehension counts with whole numbers, as `exists_one` does.
fn is_count(accu_init: &IdedExpr) -> bool {
    matches!(accu_init.expr, Node::Literal(LiteralValue::Int(_)))
}

fn make_double(literal: &mut LiteralValue) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "JSON's numbers are doubles, so are these"
    )]
    let number = match literal {
        LiteralValue::Int(number) => *number.inner() as f64,
        LiteralValue::UInt(number) => *number.inner() as f64,
        _ => return,
    };
    *literal = LiteralValue::Double(CelDouble::from(number));
}

/// Whether an operand is a whole number by its nature, so that its neighbour must be one.
fn is_whole(tree: &IdedExpr) -> bool {
    match &tree.expr {
        Node::Call(call) => match call.func_name.as_str() {
            "size" | "int" | "uint" | operators::MODULO => true,
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::NEGATE => call.args.iter().any(is_whole),
            _ => false,
        },
        _ => false,
    }
}

/// `has(a.b)` as `has(a.b) && a.b != null`.
fn without_null(select: &SelectExpr) -> IdedExpr {
    let call = |name: &str, args: Vec<IdedExpr>| {
        Node::Call(CallExpr {
            func_name: name.to_owned(),
            target: None,
            args,
        })
    };
    let node = |expr: Node| IdedExpr { id: 0, expr };
    let plain = SelectExpr {
        test: false,
        ..select.clone()
    };
    let null = node(Node::Literal(LiteralValue::Null));
    let not_null = call(operators::NOT_EQUALS, vec![node(Node::Select(plain)), null]);
    let test = node(Node::Select(select.clone()));
    node(call(operators::LOGICAL_AND, vec![test, node(not_null)]))
}

fn is_math(target: &IdedExpr) -> bool {
    matches!(&target.expr, Node::Ident(name) if name == "math")
}

fn check_function(call: &CallExpr) -> Result<(), ExprError> {
    let name = call.func_name.as_str();
    if !FUNCTIONS.contains(&name) && !EXTREMES.contains(&name) {
        let known: Vec<_> = FUNCTIONS.iter().chain(MACROS).copied().collect();
        return Err(ExprError::UnknownFunction {
            name: name.to_owned(),
            suggestion: nearest(name, &known),
        });
    }
    if name == "matches" {
        let Some(Node::Literal(LiteralValue::String(pattern))) =
            call.args.last().map(|argument| &argument.expr)
        else {
            let what = "the pattern of `matches` must be written out in the expression";
            return Err(ExprError::Unbounded(what));
        };
        return check_pattern(pattern.clone());
    }
    Ok(())
}

/// Tries the pattern on an empty text.
fn check_pattern(pattern: CelString<'static>) -> Result<(), ExprError> {
    let text = |text: CelString<'static>| IdedExpr {
        id: 0,
        expr: Node::Literal(LiteralValue::String(text)),
    };
    let call = CallExpr {
        func_name: "matches".to_owned(),
        target: Some(Box::new(text(CelString::from("")))),
        args: vec![text(pattern)],
    };
    let tree = IdedExpr {
        id: 0,
        expr: Node::Call(call),
    };
    let context = Context::with_env(ENVIRONMENT.clone());
    match cel::Value::resolve_val(&tree, &context) {
        Ok(_) => Ok(()),
        Err(_) => Err(ExprError::Pattern),
    }
}
