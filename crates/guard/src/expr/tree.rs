//! Questions to the tree of an expression, asked without recursion.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr as Node, LiteralValue, operators};

/// How deeply `text` nests brackets, ternaries and prefix operators at most. The parser recurses over
/// them before it counts, so this is asked first; brackets within texts count as well, which only
/// errs on the safe side.
pub(super) fn nesting(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut prefixes = 0;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        prefixes = match byte {
            b'!' | b'-' => prefixes + 1,
            b' ' | b'\t' | b'\n' | b'\r' => prefixes,
            _ => 0,
        };
        deepest = deepest.max(depth + prefixes);
    }
    deepest.max(text.matches('?').count())
}

/// See [`super::Expr::members_of`].
pub(super) fn members_of(tree: &IdedExpr, variable: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![tree];
    while let Some(tree) = left.pop() {
        found.extend(member_of(tree, variable).map(str::to_owned));
        left.extend(children(tree));
    }
    found.into_iter().collect()
}

/// See [`super::Expr::names_whole`].
pub(super) fn names_whole(tree: &IdedExpr, variable: &str) -> bool {
    let mut left = vec![tree];
    while let Some(tree) = left.pop() {
        if matches!(&tree.expr, Node::Ident(name) if name == variable) {
            return true;
        }
        // A member that is written out is all that is looked at there.
        if member_of(tree, variable).is_none() {
            left.extend(children(tree));
        }
    }
    false
}

/// The member that `tree` asks of `variable`, if that is what it does.
fn member_of<'t>(tree: &'t IdedExpr, variable: &str) -> Option<&'t str> {
    let (of, member) = match &tree.expr {
        Node::Select(select) => (&*select.operand, select.field.as_str()),
        Node::Call(call) if call.func_name == operators::INDEX => {
            let [of, key] = call.args.as_slice() else {
                return None;
            };
            let Node::Literal(LiteralValue::String(key)) = &key.expr else {
                return None;
            };
            (of, key.inner())
        }
        _ => return None,
    };
    matches!(&of.expr, Node::Ident(name) if name == variable).then_some(member)
}

/// How deep the tree is, which is as deep as its evaluation recurses.
pub(super) fn depth(tree: &IdedExpr) -> usize {
    let mut deepest = 0;
    let mut left = vec![(tree, 1)];
    while let Some((tree, depth)) = left.pop() {
        deepest = deepest.max(depth);
        left.extend(children(tree).into_iter().map(|child| (child, depth + 1)));
    }
    deepest
}

fn children(tree: &IdedExpr) -> Vec<&IdedExpr> {
    match &tree.expr {
        Node::Unspecified | Node::Literal(_) | Node::Ident(_) => Vec::new(),
        Node::Select(select) => vec![&*select.operand],
        Node::Call(call) => call
            .target
            .iter()
            .map(|target| &**target)
            .chain(&call.args)
            .collect(),
        Node::List(list) => list.elements.iter().collect(),
        Node::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| entry_parts(&entry.expr))
            .collect(),
        Node::Struct(made) => made
            .entries
            .iter()
            .flat_map(|entry| entry_parts(&entry.expr))
            .collect(),
        Node::Comprehension(loops) => vec![
            &loops.iter_range,
            &loops.accu_init,
            &loops.loop_cond,
            &loops.loop_step,
            &loops.result,
        ],
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}
