//! JSON as CEL sees it, and CEL's results as JSON.
//!
//! A variable that is an object is read in place, member by member; what is in a member is built
//! when it is asked for, with its texts borrowed. Each value built is a step, and steps are counted
//! over the whole evaluation: that is what bounds loops within loops.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as ValIterator, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, MAP_TYPE,
    Type,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::{Map, Number, Value};

use super::{Bound, Expr, Scope};

/// How many steps are left.
#[derive(Debug)]
struct Steps(AtomicU32);

impl Steps {
    /// Takes one step; what is asked for afterwards is `null`, and the evaluation fails at its end.
    fn take(&self) -> bool {
        // One thread evaluates: the load and the store need not be one.
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        left > 0
    }
}

/// The variables of one evaluation, with its steps.
pub(super) struct Variables<'s> {
    scope: &'s Scope<'s>,
    steps: Steps,
}

impl<'s> Variables<'s> {
    pub(super) const fn new(scope: &'s Scope<'s>) -> Self {
        let steps = Steps(AtomicU32::new(Expr::STEPS_MAX));
        Self { scope, steps }
    }

    pub(super) fn are_exhausted(&self) -> bool {
        self.steps.0.load(Ordering::Relaxed) == 0
    }
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let mut variables = self.scope.variables.iter();
        let (_, bound) = variables.find(|(known, _)| *known == name)?;
        let steps = &self.steps;
        Some(CowVal::Owned(match *bound {
            Bound::Number(number) => Box::new(CelDouble::from(number)),
            Bound::Object(map) | Bound::Json(Value::Object(map)) => Box::new(Object {
                map,
                steps,
                keys: OnceLock::new(),
            }),
            Bound::Json(value) => view(value, steps),
        }))
    }
}

/// `value` with all that is in it.
fn view<'v>(value: &'v Value, steps: &Steps) -> Box<dyn Val + 'v> {
    if !steps.take() {
        return Box::new(CelNull);
    }
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(*truth)),
        Value::Number(number) => Box::new(CelDouble::from(as_double(number))),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| view(item, steps)).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(map) => {
            let member = |(key, value): (&'v String, &'v Value)| {
                let key = CelMapKey::String(CelString::from(key.as_str()));
                (key, view(value, steps))
            };
            let members: HashMap<_, _> = map.iter().map(member).collect();
            Box::new(CelMap::from(members))
        }
    }
}

fn as_double(number: &Number) -> f64 {
    number
        .as_f64()
        .expect("without arbitrary precision every number has a double")
}

/// An object that is read in place.
struct Object<'v> {
    map: &'v Map<String, Value>,
    steps: &'v Steps,
    /// The keys as values, when they are looped over.
    keys: OnceLock<Vec<CelString<'v>>>,
}

impl<'v> Object<'v> {
    fn find(&self, key: &dyn Val) -> Option<&'v Value> {
        let key = key.downcast_ref::<CelString<'_>>()?;
        self.map.get(key.inner())
    }

    /// The same object in CEL's own form.
    fn whole(&self) -> CelMap<'v> {
        let member = |(key, value): (&'v String, &'v Value)| {
            let key = CelMapKey::String(CelString::from(key.as_str()));
            (key, view(value, self.steps))
        };
        CelMap::from(self.map.iter().map(member).collect::<HashMap<_, _>>())
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} members)", self.map.len())
    }
}

impl Val for Object<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        // The clone of another object read in place is a map too.
        self.whole().equals(other.clone_as_boxed().as_ref())
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.whole())
    }
}

impl Container for Object<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key).is_some())
    }
}

impl<'v> Indexer for Object<'v> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        if let Some(value) = self.find(key) {
            return Ok(CowVal::Owned(view(value, self.steps)));
        }
        let name = key.downcast_ref::<CelString<'_>>();
        Err(ExecutionError::no_such_key(
            name.map_or("", |name| name.inner()),
        ))
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Iterable for Object<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn ValIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        let keys = self.keys.get_or_init(|| {
            let keys = self.map.keys().take_while(|_| self.steps.take());
            keys.map(|key| CelString::from(key.as_str())).collect()
        });
        Box::new(Keys(keys.iter()))
    }
}

impl Sizer for Object<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.map.len()).unwrap_or(i64::MAX))
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, CelString<'v>>);

impl<'b, 'v: 'w, 'w> ValIterator<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|key| key as &(dyn Val + 'w))
    }
}

pub(super) fn as_bool(value: &dyn Val) -> Option<bool> {
    value.downcast_ref::<CelBool>().map(|truth| *truth.inner())
}

/// A result as JSON; none if JSON cannot say it.
pub(super) fn to_json(value: &dyn Val) -> Option<Value> {
    if let Some(truth) = as_bool(value) {
        return Some(Value::Bool(truth));
    }
    if let Some(number) = value.downcast_ref::<CelDouble>() {
        return number_json(*number.inner());
    }
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return Some(Value::from(text.inner()));
    }
    if let Some(number) = value.downcast_ref::<CelInt>() {
        return Some(Value::from(*number.inner()));
    }
    if let Some(number) = value.downcast_ref::<CelUInt>() {
        return Some(Value::from(*number.inner()));
    }
    if value.downcast_ref::<CelNull>().is_some() {
        return Some(Value::Null);
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        let items = list.inner().iter().map(|item| to_json(item.as_ref()));
        return items.collect::<Option<Vec<_>>>().map(Value::Array);
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        return map_json(map);
    }
    // What is left of JSON is an object read in place, which clones into a map.
    let whole = value.clone_as_boxed();
    map_json(whole.downcast_ref::<CelMap<'_>>()?)
}

/// Maps have no order of their own: the keys are sorted, so that equal results are equal bytes.
fn map_json(map: &CelMap<'_>) -> Option<Value> {
    let mut members = Vec::with_capacity(map.inner().len());
    for (key, value) in map.inner() {
        let CelMapKey::String(key) = key else {
            return None;
        };
        members.push((key.inner().to_owned(), to_json(value.as_ref())?));
    }
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(Value::Object(members.into_iter().collect()))
}

fn number_json(number: f64) -> Option<Value> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT_MAX {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole and below 2^53"
        )]
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}
